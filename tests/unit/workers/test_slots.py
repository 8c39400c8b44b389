"""Short work stays in one thread; longer work gets as many as there are slots."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.support.waiting import wait_until
from workers.runtime.slots import Slots

pytestmark = [pytest.mark.unit]


class Recorder:
    """Jobs are events to wait for (None: return at once); remembers who ran what."""

    def __init__(self, size: int) -> None:
        self.threads: list[str] = []
        self.running = 0
        self._lock = threading.Lock()
        self.slots: Slots[threading.Event | None] = Slots(size, self._run)

    def _run(self, job: threading.Event | None) -> None:
        with self._lock:
            self.threads.append(threading.current_thread().name)
            self.running += 1
        if job is not None:
            job.wait(30)
        with self._lock:
            self.running -= 1


@pytest.fixture
def four() -> Iterator[Recorder]:
    recorder = Recorder(4)
    yield recorder
    recorder.slots.close()


def test_as_many_run_at_once_as_there_are_slots_and_no_more(four: Recorder) -> None:
    gate = threading.Event()
    four.slots.put([gate] * 6)
    wait_until(lambda: four.running == 4)
    assert four.slots.waiting == 2
    gate.set()
    wait_until(lambda: len(four.threads) == 6 and not four.running)


def test_what_nobody_has_taken_can_be_taken_back(four: Recorder) -> None:
    gate = threading.Event()
    four.slots.put([gate] * 7)
    wait_until(lambda: four.running == 4)
    assert len(four.slots.take_back()) == 3
    gate.set()
    wait_until(lambda: not four.running)
    assert len(four.threads) == 4


def warm(recorder: Recorder) -> None:
    """Let it learn that the work is short."""
    for number in range(20):
        recorder.slots.put([None] * 50)
        wait_until(lambda number=number: len(recorder.threads) == 50 * (number + 1))  # type: ignore[misc]  # bound now
    recorder.threads.clear()


def test_short_work_wakes_few_threads(four: Recorder) -> None:
    warm(four)
    four.slots.put([None] * 2000)
    wait_until(lambda: len(four.threads) == 2000)
    most = max(four.threads.count(name) for name in set(four.threads))
    assert most > 1000


def test_behind_one_that_turns_out_to_be_long_the_others_do_not_wait(four: Recorder) -> None:
    warm(four)
    gate = threading.Event()
    four.slots.put([gate, *[None] * 100])
    wait_until(lambda: len(four.threads) == 101 and four.running == 1, what="other threads took the rest")
    gate.set()


def test_jobs_start_in_the_order_in_which_they_were_put(four: Recorder) -> None:
    order: list[int] = []
    one: Slots[int] = Slots(1, order.append)
    one.put(range(10))
    one.put(range(10, 15))
    wait_until(lambda: len(order) == 15)
    one.close()
    assert order == list(range(15))
