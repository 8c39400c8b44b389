"""manage.py demo: everything started, demo tasks running, address and log-in printed."""

from __future__ import annotations

import argparse
import signal
import socket
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.database.url import url_of_default
from config.demo.definitions import URL_VARIABLE, demo_tasks, store_demo
from config.demo.login import ensure_login
from config.demo.processes import DemoRunning, Processes
from config.demo.screen import Screen
from config.env import current_environment
from workers.models import Node
from workers.selectors import ended_executions

#: How often the demo looks for ended executions (seconds).
LOOK_EVERY = 0.25

#: The module with the functions of the demo's Python tasks.
FUNCTIONS = "config.demo.functions"


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


class Command(BaseCommand):
    """Parses, starts and watches; what runs is in config/demo/."""

    help = (
        "Starts the database (unless DATABASE_URL names one), the web server, a scheduler and a worker as separate "
        "processes, with tasks for every handler, and shows executions as they end. Ctrl-C stops everything; "
        "a second start goes on with the same data."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--port", type=int, default=8000, help="of the web server (default: 8000; 0: any free one)")
        parser.add_argument("--host", default="127.0.0.1", help="to listen on (default: 127.0.0.1)")
        parser.add_argument(
            "--exit-when-done",
            action="store_true",
            help="end with code 0 when every demo task has ended as expected, or with code 1 and the reason",
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=90,
            metavar="S",
            help="of --exit-when-done, in seconds (default: 90)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the demo to its end."""
        screen = Screen(self.stdout, self.style)
        home = Path(settings.ROTA_HOME)
        processes = Processes(home)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        try:
            try:
                self._run(screen, home, processes, options)
            finally:
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_IGN)
                processes.stop()
        except Stopped:
            screen.say("\nStopped. The data stays; start again with the same command.")
        except DemoRunning as error:
            raise CommandError(str(error)) from error

    #: Whether somebody has asked for the end.
    _stopping = False

    def _stop(self, number: int, frame: FrameType | None) -> None:
        # Python swallows what is raised while it collects garbage: the next step looks again.
        self._stopping = True
        raise Stopped

    def _go_on(self, processes: Processes) -> None:
        """Raise Stopped when somebody has asked for the end, and CommandError when a process of the demo has ended."""
        if self._stopping:
            raise Stopped
        if said := processes.ended():
            raise CommandError(said)

    def _run(self, screen: Screen, home: Path, processes: Processes, options: dict[str, Any]) -> None:
        processes.take_over()
        server = _listen(options["host"], options["port"])
        url = f"http://{options['host']}:{server.getsockname()[1]}"
        screen.say("Preparing the database …")
        call_command("migrate", verbosity=0, interactive=False)
        name, password = ensure_login(home)
        env = _environment()
        started_at = timezone.now()
        screen.say("Starting the web server, a scheduler and a worker …")
        processes.start("web", _web(server), env=env, sockets=[server])
        server.close()
        self._wait_for_web(url, processes)
        processes.start(
            "worker",
            ["manage.py", "runworker", "--handlers", "http,sql,python,shell", "--name", "demo"],
            env=env,
        )
        # Before anything is due, so that the first line tells no lateness of our own making.
        self._wait_for_worker(processes, started_at)
        _register_functions()
        tasks = demo_tasks(base_url=url)
        namespace = store_demo(tasks)
        processes.start("scheduler", ["manage.py", "runscheduler"], env=env)
        screen.welcome(url=url, name=name, password=password, logs=f"{home / 'logs'}/*.log")
        screen.header()
        expected = {task.name: task.expected for task in tasks} if options["exit_when_done"] else None
        self._watch(screen, processes, namespace.pk, started_at, expected, options["patience"])

    def _watch(
        self,
        screen: Screen,
        processes: Processes,
        namespace_id: int,
        since: datetime,
        expected: dict[str, str] | None,
        patience: float,
    ) -> None:
        open_tasks = dict(expected or {})
        deadline = time.monotonic() + patience
        shown: set[int] = set()
        while True:
            # A little overlap: two executions may become visible in another order than they ended.
            for ended in ended_executions(namespace_id=namespace_id, since=since - timedelta(seconds=2)):
                if ended.execution_id in shown or ended.started_at < since - timedelta(minutes=5):
                    continue
                shown.add(ended.execution_id)
                screen.row(ended)
                since = max(since, ended.finished_at)
                wanted = open_tasks.get(ended.task)
                if wanted == ended.state:
                    del open_tasks[ended.task]
                elif wanted is not None:
                    raise CommandError(
                        f"“{ended.task}” was expected to be {wanted}, and is {ended.state}: {ended.message}"
                    )
            if expected is not None and not open_tasks:
                screen.say(self.style.SUCCESS(f"All {len(expected)} demo tasks ended as expected."))
                return
            self._go_on(processes)
            if expected is not None and time.monotonic() > deadline:
                raise CommandError(f"Not within {patience:g} s: {', '.join(sorted(open_tasks))}.")
            time.sleep(LOOK_EVERY)

    def _wait_for_worker(self, processes: Processes, since: datetime) -> None:
        deadline = time.monotonic() + 30
        while not Node.objects.filter(name="demo", state="online", started_at__gt=since).exists():
            self._go_on(processes)
            if time.monotonic() > deadline:
                held = Node.objects.filter(name="demo", held_at__isnull=False).exists()
                raise CommandError(
                    "The demo's node was drained, so its worker takes nothing; manage.py drain demo --resume lets it."
                    if held
                    else "The worker does not come online."
                )
            time.sleep(0.05)

    def _wait_for_web(self, url: str, processes: Processes) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                if requests.get(f"{url}/healthz", timeout=2).ok:
                    return
            except requests.RequestException:
                pass
            self._go_on(processes)
            if time.monotonic() > deadline:
                raise CommandError(f"The web server does not answer at {url}.")
            time.sleep(0.1)


def _listen(host: str, port: int) -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, port))
    except OSError as error:
        server.close()
        raise CommandError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Try another --port, or --port 0 for any free one "
            '(with make: make demo ARGS="--port 0").'
        ) from error
    server.listen(128)
    return server


def _web(server: socket.socket) -> list[str]:
    return [
        "-m",
        "uvicorn",
        "config.asgi:application",
        "--fd",
        str(server.fileno()),
        "--log-level",
        "warning",
    ]


def _environment() -> dict[str, str]:
    return {
        **current_environment(),
        URL_VARIABLE: url_of_default("postgresql+psycopg"),
        "ROTA_TASK_MODULES": ",".join([*settings.WORKERS.get("TASK_MODULES", []), FUNCTIONS]),
        "PYTHONUNBUFFERED": "1",
    }


def _register_functions() -> None:
    """Make the demo's functions known to this process too, which checks the tasks that it stores."""
    import config.demo.functions  # noqa: F401 - importing registers them
