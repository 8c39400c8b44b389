"""A scheduler and a worker tell their own numbers on a port, when they are asked to."""

from __future__ import annotations

import re
import socket
from urllib.request import urlopen

import pytest

from scheduling.db import Connection
from scheduling.services import run_task_now
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.processes import manage
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def told(port: int) -> str:
    """What is told there."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_schedulers_and_workers_tell_their_numbers_on_a_port_of_their_own(conn: Connection, start: Start) -> None:
    ports = free_port(), free_port()
    scheduler = start("runscheduler", "--metrics-port", str(ports[0]))
    worker = start("runworker", "--handlers", "shell", "--metrics-port", f"127.0.0.1:{ports[1]}")
    make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")
    run_task_now(make_task())
    wait_until(lambda: all("Prometheus on http://127.0.0.1" in each.said() for each in (scheduler, worker)))
    wait_until(lambda: re.search("^rota_fired_total [1-9]", told(ports[0]), re.MULTILINE), what="something was fired")
    succeeded = re.compile(r'^rota_attempts_total\{outcome="succeeded"\} [1-9]', re.MULTILINE)
    wait_until(lambda: succeeded.search(told(ports[1])), what="one has succeeded")
    assert "rota_node_slots 8.0" in told(ports[1])
    refused = manage("runscheduler", "--metrics-port", str(ports[0]))
    assert refused.returncode == 1
    assert "cannot listen on" in refused.stderr


def test_a_port_that_is_none_is_refused(conn: Connection) -> None:
    refused = manage("runworker", "--metrics-port", "many")
    assert refused.returncode == 2
    assert "PORT or HOST:PORT" in refused.stderr
