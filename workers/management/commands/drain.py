"""manage.py drain: have a node take nothing more, and let it go on."""

from __future__ import annotations

import argparse
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.db import own_connection
from scheduling.exceptions import NotMigrated
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.notify import close_process_notifier
from scheduling.schema import require_migrations
from workers.conf import conf
from workers.engine.hold import Load, load_of
from workers.services import UnknownNode, drain_node, resume_node

#: How often (seconds) `--wait` looks.
LOOK_SECONDS = 0.5


class Command(BaseCommand):
    """Parses, calls the service, and waits."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Drains a node: its worker takes nothing more, gives back what it has not begun, finishes what runs and ends "
        "with exit code 0. A worker that is started under the same name waits until the node is resumed."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("node", metavar="NODE", help="the node's name")
        parser.add_argument("--resume", action="store_true", help="let the node take work again")
        parser.add_argument("--reason", default="", help="why, for whoever looks at the node")
        parser.add_argument("--wait", action="store_true", help="return when nothing runs there any more")
        parser.add_argument(
            "--timeout",
            type=float,
            default=None,
            metavar="SECONDS",
            help="with --wait: give up after so long, with exit code 1; the node stays drained",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Drain or resume, and say how it stands."""
        try:
            require_migrations()
        except NotMigrated as error:
            raise CommandError(str(error)) from error
        name = options["node"]
        if options["resume"] and (options["wait"] or options["reason"] or options["timeout"] is not None):
            raise CommandError("--resume goes with none of --wait, --timeout and --reason.")
        if options["timeout"] is not None and not options["wait"]:
            raise CommandError("--timeout says how long --wait waits; give both.")
        try:
            if options["resume"]:
                resumed = resume_node(name)
                self._say(f"{name} takes work again." if resumed else f"{name} was not held; nothing has changed.")
                return
            before = self._load(name)
            drain_node(name, reason=options["reason"])
        except UnknownNode as error:
            raise CommandError(str(error)) from error
        finally:
            close_process_notifier()
        self._say(f"{name} takes nothing more until `manage.py drain {name} --resume`.")
        if options["wait"] and before is not None:
            self._wait(name, before, options["timeout"])

    def _wait(self, name: str, before: Load, timeout: float | None) -> None:
        until = time.monotonic() + timeout if timeout is not None else None
        while (left := self._left(name, before)) is not None:
            if until is not None and time.monotonic() >= until:
                raise CommandError(f"After {timeout:g} s {left}; {name} stays drained.")
            time.sleep(LOOK_SECONDS)
        self._say(f"Nothing runs on {name} any more.")

    def _left(self, name: str, before: Load) -> str | None:
        """Return what is still to be waited for, or None."""
        now = self._load(name, before.incarnation)
        if now is None:
            return None
        if now.leases:
            return f"{now.leases} executions had not ended"
        ended = now.incarnation != before.incarnation or now.state == "stopped"
        # One that was held already has nothing to end; one that is silent never will.
        if ended or before.held or not now.heard_of:
            return None
        return "its worker had not ended"

    def _load(self, name: str, incarnation: int | None = None) -> Load | None:
        conn = own_connection("drain")
        try:
            return load_of(conn, name=name, lease_seconds=conf().lease_seconds, incarnation=incarnation)
        finally:
            conn.close()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
