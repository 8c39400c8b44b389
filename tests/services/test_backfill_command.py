"""manage.py backfill: what a person at a terminal sees."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduling.conf import SchedulingConf
from scheduling.db import Connection, own_connection
from scheduling.models import Backfill, Task
from scheduling.runtime.loop import SchedulerLoop
from tests.engine.work import claimed_by, report_of
from tests.factories import make_namespace, make_registration, make_task
from workers.domain.states import ExecutionState
from workers.engine.complete import complete

RANGE = ["--from", "2024-03-01T00:00:00Z", "--until", "2024-03-01T02:00:00Z"]


class Terminal(io.StringIO):
    """Output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def backfill(*args: Any, out: io.StringIO | None = None) -> tuple[str, str]:
    """Run the command; what it wrote to stdout and stderr."""
    stdout, stderr = out or io.StringIO(), io.StringIO()
    call_command("backfill", *args, stdout=stdout, stderr=stderr, no_color=True)
    return stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def hourly(conn: Connection) -> Task:
    """A task with three ticks in the range."""
    return make_task(name="hourly report", trigger="cron", cron_expression="0 * * * *")


@pytest.fixture
def fleet(conn: Connection) -> Iterator[list[ExecutionState]]:
    """A scheduler and a worker in a thread; how the work ends is what the list says, then it succeeds."""
    ends: list[ExecutionState] = []
    stop = Event()

    def work() -> None:
        # Nobody wakes it, so it looks often.
        loop = SchedulerLoop(settings=SchedulingConf(MAINTENANCE_SECONDS=0.1))
        connection = own_connection("test worker")
        node = make_registration(connection)
        while not stop.is_set():
            loop.turn()
            for claim in claimed_by(connection, node, slots=8):
                state = ends.pop(0) if ends else ExecutionState.SUCCEEDED
                complete(connection, [report_of(claim, state)])
            stop.wait(0.02)
        loop.close()
        connection.close()

    thread = Thread(target=work)
    thread.start()
    yield ends
    stop.set()
    thread.join()


def test_a_dry_run_prints_one_tick_a_line_and_stores_nothing(hourly: Task) -> None:
    out, err = backfill("hourly report", *RANGE, "--dry-run")
    assert out.splitlines() == [f"2024-03-01T0{hour}:00:00+00:00" for hour in range(3)]
    assert err.strip() == "3 ticks would run; 0 have a run already."
    assert not Backfill.objects.exists()


def test_the_options_are_what_is_stored(hourly: Task) -> None:
    out, _ = backfill("hourly report", *RANGE, "--overlap", "allow", "--max-parallel", "3", "--reprocess", "failed")
    made = Backfill.objects.get()
    assert (made.overlap, made.max_parallel, made.reprocess, made.total) == ("allow", 3, "failed", 3)
    assert made.from_at == datetime(2024, 3, 1, tzinfo=UTC)
    assert out.strip() == f"Backfill {made.pk}: 3 ticks."


def test_wait_stays_until_all_have_ended_and_draws_a_bar_on_a_terminal(
    hourly: Task, fleet: list[ExecutionState]
) -> None:
    out, _ = backfill("hourly report", *RANGE, "--wait", out=Terminal())
    assert "3 succeeded" in out.splitlines()[-1]
    assert "100 %  3/3" in out
    again, _ = backfill("hourly report", *RANGE)
    assert again.strip() == "Each of the 3 ticks in this range has a run already, or is about to have one."


def test_wait_fails_when_a_tick_failed(hourly: Task, fleet: list[ExecutionState]) -> None:
    fleet.append(ExecutionState.FAILED)
    with pytest.raises(CommandError, match="1 of 3 ticks failed"):
        backfill("hourly report", *RANGE, "--wait")
    out, _ = backfill("hourly report", *RANGE, "--reprocess", "failed", "--dry-run")
    assert out.splitlines() == ["2024-03-01T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nothing", *RANGE], "no task “nothing” in the namespace “default”"),
        (["hourly report", *RANGE, "--namespace", "other"], "in the namespace “other”"),
        (
            ["hourly report", "--from", "yesterday", "--until", "2024-03-02T00:00:00Z"],
            "--from: “yesterday” is no moment",
        ),
        (["hourly report", "--from", "2024-03-02T00:00:00Z", "--until", "2024-03-01T00:00:00Z"], "--until: The range"),
        (["hourly report", "--from", "2000-03-02T00:00:00Z", "--until", "2024-03-01T00:00:00Z"], "or more ticks"),
        (["hourly report", *RANGE, "--max-parallel", "2"], "--max-parallel: “One after the other”"),
        (["hourly report", *RANGE, "--overlap", "skip"], "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_refused_by_the_name_of_its_option(hourly: Task, args: list[str], words: str) -> None:
    make_namespace("other")
    with pytest.raises(CommandError) as refused:
        backfill(*args)
    assert words in str(refused.value)
    with suppress(Backfill.DoesNotExist):
        pytest.fail(f"{Backfill.objects.get()} was stored")


def test_stop_ends_a_backfill_and_cancels_what_waits(hourly: Task) -> None:
    backfill("hourly report", *RANGE)
    made = Backfill.objects.get()
    loop = SchedulerLoop()
    loop.turn()
    loop.close()
    out, _ = backfill("--stop", str(made.pk))
    made.refresh_from_db()
    assert made.state == "stopped"
    assert out.startswith(f"Backfill {made.pk} is stopped: ")
    assert backfill("--stop", str(made.pk))[0].strip() == f"Backfill {made.pk} had ended before: stopped."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--stop", "4711"], "There is no backfill 4711."),
        (["hourly report", "--stop", "1"], "nothing else, not TASK"),
        (["hourly report"], "Give --from, --until too; or --stop ID"),
        (["hourly report", *RANGE, "--cancel-running"], "--cancel-running goes with --stop ID."),
    ],
)
def test_options_that_do_not_go_together_are_refused(hourly: Task, options: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        backfill(*options)
