"""manage.py runworker: run instances that are ready."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from scheduling.conf import conf
from scheduling.db import own_connection
from scheduling.exceptions import NotMigrated
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.runtime.garbage import leave_startup_out_of_collections
from scheduling.runtime.metrics_port import Address, metrics_address, serve_metrics
from scheduling.runtime.watchdog import Watchdog
from scheduling.schema import require_migrations
from workers import __version__
from workers.engine.nodes import Held, Registration, holder_of, register
from workers.exceptions import NodeNameTaken
from workers.functions import autodiscover
from workers.handlers.base import Handler
from workers.handlers.registry import load_handlers
from workers.handlers.streams import install_stream_router
from workers.runtime.drain_limit import EXIT_UNFINISHED
from workers.runtime.replacement import start_anew
from workers.runtime.supervisor import Supervisor
from workers.runtime.worker import Worker


def positive(text: str) -> int:
    """Return ``text`` as a whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def names(text: str) -> list[str]:
    """Return a comma-separated list, for argparse."""
    return [part for part in (part.strip() for part in text.split(",")) if part]


class Command(BaseCommand):
    """Parses, wires and starts; the worker is in workers/runtime/worker.py."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Runs instances that are ready. It listens on no port: it asks the database for work. On SIGTERM or Ctrl-C "
        "it takes nothing more and finishes what runs; a second signal does not wait for that."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--concurrency", type=positive, default=8, metavar="N", help="slots (default: 8)")
        parser.add_argument(
            "--queues",
            type=names,
            default=["default"],
            metavar="A,B",
            help="the queues to serve (default: default); its own, node:NAME, is always among them",
        )
        parser.add_argument(
            "--handlers",
            type=names,
            default=None,
            metavar="A,B",
            help="the handlers that it may run (default: every installed one but shell)",
        )
        parser.add_argument(
            "--metrics-port",
            type=metrics_address,
            default=None,
            metavar="[HOST:]PORT",
            help="tell its numbers to Prometheus there (default: listen nowhere; default host: 127.0.0.1)",
        )
        parser.add_argument("--name", default=None, help="the node's name (default: the host's)")
        parser.add_argument(
            "--processes",
            type=positive,
            default=1,
            metavar="N",
            help="worker processes, each with its own slots: NAME-1, NAME-2, … (default: 1, called NAME)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal comes; start anew after the leases were lost."""
        try:
            require_migrations()
        except NotMigrated as error:
            raise CommandError(str(error)) from error
        handlers = _chosen(options["handlers"])
        self._warn_of_connections(options)
        if options["processes"] > 1:
            self._supervise(options)
            return
        self._stopped, self._signals, left_behind = False, 0, 0
        self._worker: Worker | None = None
        # Before it registers: a signal that came between would leave the name to a process that is gone.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        autodiscover()
        install_stream_router()
        leave_startup_out_of_collections()
        started_in = Path.cwd()
        if options["metrics_port"] is not None:
            self._serve(options["metrics_port"])
        while not self._stopped:
            registration = self._register_when_possible(handlers, options)
            if registration is None:
                break
            watchdog = Watchdog(seconds=conf().WATCHDOG_SECONDS, who="worker")
            self._worker = worker = Worker(
                registration=registration,
                queues=options["queues"],
                handlers=handlers,
                concurrency=options["concurrency"],
                report=self._say,
                watchdog=watchdog,
            )
            if self._is_stopped():
                worker.stop()
            self._say(
                f"{registration.name} started, {options['concurrency']} slots, "
                f"queues {', '.join(options['queues'])}, handlers {', '.join(sorted(handlers))}"
            )
            if registration.held is not None:
                self._say(_on_hold(registration.name, registration.held))
            watchdog.start()
            worker.run()
            self._worker = None
            watchdog.stop()
            # Also when it was drained in the database.
            self._stopped = self._stopped or worker.stopping
            left_behind = worker.left_behind if worker.stopping else 0
            if worker.must_be_replaced and not self._stopped:
                self._say("replacing this process, because one of its threads could not be stopped")
                start_anew(started_in)
        self._say("stopped")
        if left_behind:
            sys.exit(EXIT_UNFINISHED)

    def _serve(self, address: Address) -> None:
        try:
            serve_metrics(address, lambda: worker.metrics() if (worker := self._worker) is not None else [])
        except OSError as error:
            raise CommandError(f"--metrics-port: cannot listen on {address}: {error.strerror or error}.") from error
        self._say(f"numbers for Prometheus on http://{address}/metrics")

    def _supervise(self, options: Mapping[str, Any]) -> None:
        """Run the processes of this worker until a signal comes, or until all have ended in order."""
        connection.close()
        base = options["name"] or socket.gethostname()
        node_names = [f"{base}-{number}" for number in range(1, options["processes"] + 1)]
        supervisor = Supervisor(node_names, partial(_command_line, options), self._say)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        signal.signal(signal.SIGCHLD, lambda *_: supervisor.look())
        self._say(f"{len(node_names)} processes, {options['concurrency']} slots each: {', '.join(node_names)}")
        if code := supervisor.run():
            sys.exit(code)
        self._say("all have stopped")

    def _warn_of_connections(self, options: Mapping[str, Any]) -> None:
        slots = options["processes"] * options["concurrency"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('max_connections')::int")
            (most,) = cursor.fetchone()
        if slots > most:
            self._say(
                f"{slots} slots, and the database takes {most} connections: functions that use the database at the "
                "same time may find none left; take fewer slots or raise max_connections"
            )

    def _is_stopped(self) -> bool:
        # Not narrowed by an earlier look: a signal may have come since.
        return self._stopped

    def _stop(self) -> None:
        self._stopped = True
        self._signals += 1
        if self._worker is not None:
            self._worker.stop()
        elif self._signals > 1:
            # It may hang in whatever it does before it has a worker; nothing of it runs yet that could be lost.
            self._say("stopped before it had started")
            raise SystemExit(0)
        else:
            self._say("stops before it has started; another signal does not wait for that")

    def _register_when_possible(
        self, handlers: Mapping[str, Handler[Any]], options: Mapping[str, Any]
    ) -> Registration | None:
        """Register as soon as the database lets us; None when a signal came first."""
        pause = 0.5
        while not self._stopped:
            try:
                return self._register(handlers, options)
            except psycopg.OperationalError as error:
                self._say(f"the database is not to be had, trying again: {str(error).strip().splitlines()[0]}")
                until = time.monotonic() + pause
                while not self._stopped and time.monotonic() < until:
                    time.sleep(0.1)
                pause = min(pause * 2, 10.0)
        return None

    def _register(self, handlers: Mapping[str, Handler[Any]], options: Mapping[str, Any]) -> Registration:
        host = socket.gethostname()
        wanted = [options["name"]] if options["name"] else [host, *(f"{host}-{number}" for number in range(2, 100))]
        conn = own_connection("worker register")
        try:
            for name in wanted:
                with suppress(NodeNameTaken):
                    return register(
                        conn,
                        name=name,
                        host=host,
                        pid=os.getpid(),
                        queues=options["queues"],
                        handlers=handlers.keys(),
                        known_handlers=load_handlers().keys(),
                        slots=options["concurrency"],
                        version=__version__,
                        same_process_is_gone=_is_gone(holder_of(conn, name), host),
                    )
            holder = holder_of(conn, wanted[0])
            assert holder is not None  # noqa: S101 - the name was taken by somebody
            raise CommandError(str(NodeNameTaken(name=wanted[0], host=holder[0], pid=holder[1])))
        finally:
            conn.close()

    def _say(self, line: str) -> None:
        self.stdout.write(f"worker: {line}")
        self.stdout.flush()


def _on_hold(name: str, held: Held) -> str:
    """Return the line of a worker that may not claim."""
    why = f" ({held.reason})" if held.reason else ""
    return (
        f"{name} is held since {held.since:%Y-%m-%d %H:%M:%S} UTC by {held.by}{why} and claims nothing; "
        f"`manage.py drain {name} --resume` lets it go on"
    )


def _chosen(wanted: list[str] | None) -> dict[str, Handler[Any]]:
    installed = load_handlers()
    if wanted is None:
        return {name: handler for name, handler in installed.items() if handler.enabled_by_default}
    for name in wanted:
        if name not in installed:
            raise CommandError(f"There is no handler “{name}”. Installed: {', '.join(sorted(installed))}.")
    if not wanted:
        raise CommandError("A worker needs at least one handler.")
    return {name: installed[name] for name in wanted}


def _command_line(options: Mapping[str, Any], name: str) -> list[str]:
    """Return the command of one of several processes: this one's, with its own name and without the number."""
    command = [sys.executable, sys.argv[0], "runworker", "--name", name, "--concurrency", str(options["concurrency"])]
    command += ["--queues", ",".join(options["queues"])]
    if options["handlers"] is not None:
        command += ["--handlers", ",".join(options["handlers"])]
    # --settings is in the environment already.
    return [*command, *(["--pythonpath", options["pythonpath"]] if options["pythonpath"] else [])]


def _is_gone(holder: tuple[str, int] | None, host: str) -> bool:
    if holder is None or holder[0] != host:
        return False
    if holder[1] == os.getpid():
        return True
    try:
        os.kill(holder[1], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
