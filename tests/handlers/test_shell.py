"""The shell handler with real processes."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.handlers.support import MemoryLog, make_context, run, start, wait_until
from workers.handlers.base import HandlerCancelled, HandlerError, HandlerTimedOut
from workers.handlers.shell import ShellHandler

pytestmark = pytest.mark.processes

SHELL = ShellHandler()


def lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def pid_in(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), f"{path} was written")
    return int(path.read_text())


def test_exit_code_0_is_success_and_the_end_of_the_output_is_the_result(log: MemoryLog) -> None:
    result = run(SHELL, make_context(log), command="echo out; echo err >&2")

    assert result["exit_code"] == 0
    assert result["signal"] is None
    assert sorted(result["output_tail"].splitlines()) == ["err", "out"]
    assert log.text("stdout") == "out\n"
    assert log.text("stderr") == "err\n"


def test_any_other_exit_code_is_a_failure() -> None:
    with pytest.raises(HandlerError) as caught:
        run(SHELL, command="echo last words; exit 3")

    assert caught.value.reason == "exit_code"
    assert caught.value.message == "The command ended with exit code 3."
    assert caught.value.result == {"exit_code": 3, "signal": None, "output_tail": "last words\n"}


def test_a_signal_is_named() -> None:
    with pytest.raises(HandlerError) as caught:
        run(SHELL, command="kill -SEGV $$")

    assert caught.value.reason == "signal"
    assert caught.value.result["signal"] == "SIGSEGV"
    assert caught.value.result["exit_code"] == 128 + signal.SIGSEGV


def test_arguments_are_given_without_a_shell(log: MemoryLog) -> None:
    run(SHELL, make_context(log), argv=["printf", "%s|", "a b", "$HOME", "*"])

    assert log.text("stdout") == "a b|$HOME|*|"


def test_standard_input_is_what_the_task_says_however_long(log: MemoryLog) -> None:
    run(SHELL, make_context(log), command="wc -c", stdin="ä" * 500_000)

    assert log.text("stdout").strip() == "1000000"


def test_input_that_nobody_reads_is_no_failure() -> None:
    assert run(SHELL, command="exit 0", stdin="x" * 1_000_000)["exit_code"] == 0


def test_output_is_passed_on_while_the_command_runs(log: MemoryLog, tmp_path: Path) -> None:
    # Each step waits for us, and we only let it go on when its output has arrived.
    steps = "for i in 1 2 3; do echo step $i; while [ ! -e go$i ]; do sleep 0.01; done; done"
    future = start(SHELL, make_context(log), command=steps, cwd=str(tmp_path))
    for number in (1, 2, 3):
        log.wait_for(f"step {number}\n")
        assert f"step {number + 1}" not in log.text()
        tmp_path.joinpath(f"go{number}").touch()

    assert future.result(30)["exit_code"] == 0


def test_ten_megabytes_of_output_arrive_whole(log: MemoryLog) -> None:
    result = run(SHELL, make_context(log), command="yes 0123456789abcde | head -c 10485760")

    assert len(log.text("stdout")) == 10 * 1024 * 1024
    assert len(result["output_tail"]) == 4096


def test_a_character_that_is_written_in_two_pieces_arrives_whole(log: MemoryLog, tmp_path: Path) -> None:
    command = r"printf 'a\303'; while [ ! -e go ]; do sleep 0.01; done; printf '\244b\303'"
    future = start(SHELL, make_context(log), command=command, cwd=str(tmp_path))
    log.wait_for("a")
    tmp_path.joinpath("go").touch()
    future.result(30)

    assert log.text("stdout") == "aäb\ufffd"


def test_what_the_database_cannot_store_is_replaced(log: MemoryLog) -> None:
    result = run(SHELL, make_context(log), command=r"printf 'a\000b'")

    assert log.text("stdout") == "a\ufffdb"
    assert result["output_tail"] == "a\ufffdb"


def test_the_environment_is_clean_and_names_the_execution(log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "sesame")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:sesame@h/d")
    run(SHELL, make_context(log), argv=["env", "-0"], env={"MY": "own"})

    # The separators are NUL, which the log shows as U+FFFD.
    pairs = [item.partition("=") for item in log.text("stdout").split("\ufffd") if item]
    environment = {name: value for name, _, value in pairs}
    environment.pop("ROTA_RUN_MARK")
    assert set(environment) == {
        *("PATH", "HOME", "LANG", "TZ", "MY", "ROTA_NAMESPACE", "ROTA_TASK", "ROTA_INSTANCE_ID"),
        *("ROTA_EXECUTION_ID", "ROTA_ATTEMPT", "ROTA_SCHEDULED_FOR", "ROTA_IDEMPOTENCY_KEY"),
    }
    assert environment["MY"] == "own"
    assert environment["ROTA_TASK"] == "nightly"
    assert environment["ROTA_EXECUTION_ID"] == "22"
    assert environment["ROTA_SCHEDULED_FOR"] == "2026-03-29T02:30:00+00:00"
    assert environment["ROTA_IDEMPOTENCY_KEY"] == "key-of-11"
    assert "sesame" not in log.text()


def test_a_missing_program_and_a_missing_directory_are_named(tmp_path: Path) -> None:
    for params, part in (
        ({"argv": ["/no/such/program"]}, "/no/such/program"),
        ({"command": "true", "cwd": str(tmp_path / "gone")}, "gone"),
    ):
        with pytest.raises(HandlerError) as caught:
            run(SHELL, **params)
        assert caught.value.reason == "cannot_start"
        assert part in caught.value.message
        assert "No such file or directory" in caught.value.message


# Ending


def test_cancelling_ends_the_command_and_everything_it_started(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log)
    command = "sleep 1000 & echo $! > child; (sleep 1000 & echo $! > grandchild; wait) & wait"
    future = start(SHELL, context, command=command, cwd=str(tmp_path))
    pids = [pid_in(tmp_path / "child"), pid_in(tmp_path / "grandchild")]

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert [pid for pid in pids if lives(pid)] == []


def test_cancelling_reaches_a_child_that_left_the_group(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log)
    command = "setsid sh -c 'echo $$ > stray; exec sleep 1000' > /dev/null 2>&1 & sleep 1000"
    future = start(SHELL, context, command=command, cwd=str(tmp_path))
    pid = pid_in(tmp_path / "stray")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert not lives(pid)


def test_the_deadline_ends_the_command(log: MemoryLog) -> None:
    with pytest.raises(HandlerTimedOut):
        run(SHELL, make_context(log, seconds=1), command="sleep 1000")
    assert "SIGTERM" in log.text("log")


def test_a_command_may_clean_up_when_it_is_asked_to_end(log: MemoryLog) -> None:
    context = make_context(log)
    future = start(
        SHELL,
        context,
        command="trap 'echo cleaned up; exit 0' TERM; echo ready; while :; do sleep 0.01; done",
    )
    log.wait_for("ready")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert "cleaned up\n" in log.text("stdout")
    assert "SIGKILL" not in log.text("log")


def test_a_command_that_ignores_the_request_is_killed(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log, kill_grace_seconds=0.2)
    command = "trap '' TERM; echo $$ > pid; echo ready; while :; do sleep 0.01; done"
    future = start(SHELL, context, command=command, cwd=str(tmp_path))
    log.wait_for("ready")
    pid = pid_in(tmp_path / "pid")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert "SIGKILL" in log.text("log")
    assert not lives(pid)


def test_a_kill_after_a_request_does_not_wait_for_the_rest_of_the_grace(log: MemoryLog, tmp_path: Path) -> None:
    # A grace beyond any patience: only the kill can end it.
    context = make_context(log, kill_grace_seconds=100_000.0)
    command = "trap 'echo asked' TERM; echo $$ > pid; echo ready; while :; do sleep 0.01; done"
    future = start(SHELL, context, command=command, cwd=str(tmp_path))
    log.wait_for("ready")
    pid = pid_in(tmp_path / "pid")
    context.cancel()
    log.wait_for("asked")

    context.cancel(kill=True)

    assert isinstance(future.exception(30), HandlerCancelled)
    assert not lives(pid)


def test_a_kill_leaves_no_grace(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log, kill_grace_seconds=100_000.0)
    command = "trap '' TERM; echo $$ > pid; echo ready; while :; do sleep 0.01; done"
    future = start(SHELL, context, command=command, cwd=str(tmp_path))
    log.wait_for("ready")
    pid = pid_in(tmp_path / "pid")

    context.cancel(kill=True)

    assert isinstance(future.exception(30), HandlerCancelled)
    assert not lives(pid)


def test_a_child_that_ignores_the_request_is_killed_after_its_parent_has_obeyed(log: MemoryLog, tmp_path: Path) -> None:
    context = make_context(log, kill_grace_seconds=0.2)
    stubborn = 'trap "" TERM; echo $$ > pid; while :; do sleep 0.01; done'
    future = start(SHELL, context, command=f"sh -c '{stubborn}' > /dev/null 2>&1 & sleep 1000", cwd=str(tmp_path))
    pid = pid_in(tmp_path / "pid")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert not lives(pid)


def test_a_child_left_behind_does_not_hang_a_run_that_has_ended(log: MemoryLog, tmp_path: Path) -> None:
    result = run(SHELL, make_context(log), command="sleep 1000 & echo $! > pid; echo done", cwd=str(tmp_path))

    assert result["exit_code"] == 0
    assert log.text("stdout") == "done\n"
    assert not lives(pid_in(tmp_path / "pid"))


def test_a_child_that_floods_the_output_does_not_hang_a_run_that_has_ended(log: MemoryLog) -> None:
    assert run(SHELL, make_context(log), command="yes & true")["exit_code"] == 0


def test_what_a_child_writes_shortly_after_its_parent_ended_is_kept(log: MemoryLog) -> None:
    run(SHELL, make_context(log), command="(sleep 0.1; echo late) & true")

    assert log.text("stdout") == "late\n"


def test_no_descriptor_is_left_open() -> None:
    def runs() -> None:
        for command in ("true", "exit 0; sleep 1", "echo a; echo b >&2"):
            run(SHELL, command=command)
        with pytest.raises(HandlerError):
            run(SHELL, argv=["/no/such/program"])

    before = psutil.Process().num_fds()
    for _ in range(10):
        runs()

    # Other tests' servers may still be closing theirs; a leak would show in each of the forty runs.
    assert psutil.Process().num_fds() < before + 10


def test_no_process_inherits_the_descriptors_of_the_worker(log: MemoryLog) -> None:
    with open(os.devnull, "rb"):
        run(
            SHELL,
            make_context(log),
            argv=[sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'))"],
        )

    # The fourth is the directory that is being listed.
    assert log.text("stdout") == "['0', '1', '2', '3']\n"


# What can be saved


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "params: Either a command or arguments, and not both"),
        ({"command": "a", "argv": ["a"]}, "params: Either a command or arguments, and not both"),
        ({"command": ""}, "params.command: String should have at least 1 character"),
        ({"argv": []}, "params.argv: List should have at least 1 item"),
        ({"argv": ["a", 1]}, "params.argv.1: Input should be a valid string"),
        ({"command": "a\x00b"}, "params.command: The character U+0000"),
        ({"command": "a", "env": {"A=B": "c"}}, "params.env"),
        ({"command": "a", "env": {"ROTA_TASK": "c"}}, "params.env"),
        ({"command": "a", "shell": True}, "params.shell: There is no such field"),
    ],
)
def test_params_that_cannot_work_are_refused_with_their_place(params: dict[str, Any], error: str) -> None:
    errors = [str(each) for each in SHELL.check_params(params)]

    assert len(errors) == 1
    assert errors[0].startswith(error)


def test_it_is_off_unless_a_worker_is_started_with_it() -> None:
    assert SHELL.enabled_by_default is False
