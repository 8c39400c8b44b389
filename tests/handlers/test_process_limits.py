"""A task's limits of processes, memory and CPU time hold for everything it starts, and say so in figures."""

import sys

import psutil
import pytest

import tests.handlers.example_tasks  # noqa: F401 - registers the functions
from tests.handlers.support import MemoryLog, make_context, run
from workers.handlers import process_table
from workers.handlers.base import HandlerError
from workers.handlers.process_limits import ProcessLimits
from workers.handlers.python import PythonHandler
from workers.handlers.shell import ShellHandler

pytestmark = pytest.mark.processes

SHELL = ShellHandler()
PYTHON = PythonHandler()

HOG = "b = bytearray(b'x') * (200 * 1024 * 1024); import time; time.sleep(1000)"


def limited(log: MemoryLog, command: str | list[str], **limits: int) -> HandlerError:
    """Run a command that goes beyond a limit and return how that ended it."""
    params = {"command": command} if isinstance(command, str) else {"argv": command}
    with pytest.raises(HandlerError) as caught:
        run(SHELL, make_context(log, limits=ProcessLimits(**limits)), **params)
    return caught.value


def left_of(log: MemoryLog) -> list[int]:
    """Which of the processes that wrote their pids are alive."""
    pids = [int(line) for line in log.text("stdout").split()]
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_a_storm_of_processes_is_ended_at_its_limit(log: MemoryLog) -> None:
    error = limited(log, "for i in $(seq 20); do sleep 1000 & echo $!; done; wait", max_processes=5)

    assert error.reason == "process_limit"
    assert error.result["processes"] > error.result["max_processes"] == 5
    assert error.message.endswith("processes and may have 5 (max_processes). All were killed.")
    assert error.message in log.text("log")
    assert left_of(log) == []


def test_a_storm_whose_first_process_has_ended_is_ended_as_well(log: MemoryLog) -> None:
    error = limited(log, "for i in $(seq 20); do sleep 1000 & echo $!; done", max_processes=5)

    assert error.reason == "process_limit"
    assert left_of(log) == []


def test_so_many_processes_as_the_limit_allows_may_run(log: MemoryLog) -> None:
    context = make_context(log, limits=ProcessLimits(max_processes=5))
    command = "for i in 1 2 3 4; do sleep 0.5 & done; wait"
    assert run(SHELL, context, command=command)["exit_code"] == 0


def test_a_process_that_takes_too_much_memory_is_ended(log: MemoryLog) -> None:
    error = limited(log, [sys.executable, "-c", HOG], max_memory_mb=64)

    assert error.reason == "memory_limit"
    assert error.result["memory_mb"] > error.result["max_memory_mb"] == 64
    assert "MiB of memory and may use 64 MiB (max_memory_mb)" in error.message


def test_the_memory_of_all_processes_counts_together(log: MemoryLog) -> None:
    part = "b = bytearray(b'x') * (30 * 1024 * 1024); import time; time.sleep(1000)"
    command = f'for i in 1 2 3 4; do {sys.executable} -c "{part}" & echo $!; done; wait'

    assert limited(log, command, max_memory_mb=100).reason == "memory_limit"
    assert left_of(log) == []


def test_memory_that_processes_share_counts_once(log: MemoryLog) -> None:
    forks = (
        "import os, time\nb = bytearray(b'x') * (60 * 1024 * 1024)\nos.fork(), os.fork()\ntime.sleep(1)\nos._exit(0)"
    )
    context = make_context(log, limits=ProcessLimits(max_memory_mb=150))
    assert run(SHELL, context, argv=[sys.executable, "-c", forks])["exit_code"] == 0


def test_one_reservation_far_beyond_the_limit_fails_in_the_process_itself(log: MemoryLog) -> None:
    error = limited(log, [sys.executable, "-c", "bytearray(4 * 1024**3)"], max_memory_mb=64)

    assert error.reason in {"exit_code", "memory_limit"}
    assert error.reason == "memory_limit" or "MemoryError" in log.text("stderr")


def test_a_busy_loop_is_ended_when_its_cpu_time_is_used_up(log: MemoryLog) -> None:
    error = limited(log, "while :; do :; done", max_cpu_seconds=1)

    assert error.reason == "cpu_limit"
    assert error.result["cpu_seconds"] >= 1
    assert "s of CPU time and may use 1 s (max_cpu_seconds)" in error.message


def test_the_cpu_time_of_processes_that_have_ended_counts_too(log: MemoryLog) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    command = f'while :; do {sys.executable} -c "{burn}"; done'

    assert limited(log, command, max_cpu_seconds=1).reason == "cpu_limit"


def test_waiting_uses_no_cpu_time(log: MemoryLog) -> None:
    context = make_context(log, limits=ProcessLimits(max_cpu_seconds=1))
    assert run(SHELL, context, command="sleep 1.5")["exit_code"] == 0


def test_a_function_that_eats_all_memory_is_survived(log: MemoryLog) -> None:
    context = make_context(log, limits=ProcessLimits(max_memory_mb=200))
    with pytest.raises(HandlerError) as caught:
        run(PYTHON, context, function="tests.example_eats_memory")

    assert caught.value.reason == "memory_limit"
    assert run(PYTHON, function="tests.handlers.example_tasks.add", kwargs={"a": 1, "b": 2}) == 3


def test_limits_that_cannot_be_held_are_refused_before_anything_runs(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_table, "PROC", "/nowhere")
    error = limited(log, "echo ran", max_processes=5)

    assert error.reason == "limits_unsupported"
    assert "has no /proc" in error.message
    assert log.text("stdout") == ""


def test_a_function_in_a_thread_cannot_have_limits(log: MemoryLog) -> None:
    context = make_context(log, limits=ProcessLimits(max_memory_mb=200))
    with pytest.raises(HandlerError) as caught:
        run(PYTHON, context, function="tests.handlers.example_tasks.add", kwargs={"a": 1})

    assert caught.value.reason == "limits_unsupported"
    assert 'isolation="process"' in caught.value.message


def test_a_run_without_limits_needs_no_proc(log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_table, "PROC", "/nowhere")
    run(SHELL, make_context(log), command="(sleep 1000 & echo $!); exit 0")
    monkeypatch.undo()

    assert left_of(log) == []


def test_what_a_task_runs_goes_before_its_worker_when_the_machine_is_out_of_memory(log: MemoryLog) -> None:
    run(SHELL, make_context(log), command="sleep 0.2; cat /proc/self/oom_score_adj")

    assert log.text("stdout") == "500\n"
