"""The demo: everything a newcomer starts, from nothing, as separate processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.support.processes import ROOT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes]


def bare_environment(home: Path) -> dict[str, str]:
    """A machine without PostgreSQL in its PATH, and without any setting."""
    return {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "ROTA_HOME": str(home)}


def says(output: Path, text: str) -> bool:
    """Whether ``text`` has been written to ``output``."""
    return text in output.read_text()


def users_of(home: Path) -> list[psutil.Process]:
    """The processes, apart from dead ones, that name ``home`` in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            if str(home) in " ".join(process.cmdline()) or process.environ().get("ROTA_HOME") == str(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@dataclass(frozen=True)
class First:
    """What the first demo on its data came to."""

    home: Path
    code: int
    said: str
    errors: str

    @property
    def login(self) -> str:
        """The line with the log-in."""
        return login_in(self.said)


def login_in(said: str) -> str:
    """The line with the log-in."""
    return next(line for line in said.splitlines() if "Log-in" in line)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    """A demo from nothing, until all is done. Making a server takes its time, so the tests share it."""
    home = tmp_path_factory.mktemp("demo") / "home"
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--exit-when-done", "--port", "0"],
        cwd=ROOT,
        env=bare_environment(home),
        capture_output=True,
        text=True,
        timeout=115,
        check=False,
    )
    everybody_goes(home)
    return First(home, done.returncode, done.stdout, done.stderr)


def test_every_demo_task_ends_as_expected_and_no_process_stays(first: First) -> None:
    assert first.code == 0, first.said + first.errors
    assert "All 6 demo tasks ended as expected." in first.said
    assert "\x1b[" not in first.said, "plain when it is not a terminal"
    assert (first.home / "demo_password").stat().st_mode & 0o777 == 0o600
    assert users_of(first.home) == []


def everybody_goes(home: Path) -> None:
    """Wait until no process of ``home`` is left. Its server writes everything to the disk, which others keep busy."""
    left: list[psutil.Process] = []

    def nobody() -> bool:
        left[:] = users_of(home)
        return not left

    try:
        wait_until(nobody, seconds=60, what="every process has ended")
    except AssertionError as error:
        raise AssertionError(f"{error}: {left}") from error


def refused_beside_another(home: Path) -> None:
    """Start a second demo on the same data: it ends with a sentence."""
    second = subprocess.run(
        [sys.executable, "manage.py", "demo", "--port", "0"],
        cwd=ROOT,
        env=bare_environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "running already" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_demo_goes_on_with_the_same_data_refuses_a_second_one_and_ctrl_c_stops_it(
    first: First, tmp_path: Path
) -> None:
    output = tmp_path / "demo.log"
    with output.open("wb") as sink:
        demo = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", "0"],
            cwd=ROOT,
            env={**bare_environment(first.home), "PYTHONUNBUFFERED": "1"},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(partial(says, output, "greeting"), seconds=60, what="the greeting has run")
        refused_beside_another(first.home)
    finally:
        demo.send_signal(signal.SIGINT)
        code = demo.wait(timeout=60)
    said = output.read_text()
    assert code == 0, said
    assert "Stopped." in said
    assert "Traceback" not in said
    everybody_goes(first.home)
    assert login_in(said) == first.login
