"""manage.py checkqueue: are the promises about the queue kept?"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.db import CLOCK_CHANNEL, Connection, database_now, own_connection
from scheduling.exceptions import NotMigrated
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.notify import close_process_notifier, process_notifier
from scheduling.schema import require_migrations
from workers.engine.check import PROMISES, Broken, check, word_of
from workers.engine.repair import Repair, repair

#: So many days of history are looked at unless told otherwise.
DAYS = 7

#: The most rows of one promise that one run repairs.
MOST_REPAIRS = 10_000

#: A repair may lay something bare, such as the execution of an entry that went; so it looks again.
PASSES = 3


def days(text: str) -> int:
    """Return ``text`` as a whole number from 1, for argparse."""
    number = int(text)
    if not 1 <= number <= 36500:
        raise argparse.ArgumentTypeError("must be from 1 to 36500")
    return number


class Command(BaseCommand):
    """Shows what `workers.engine.check` finds, and what `workers.engine.repair` does about it."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Checks the promises about the queue against the database, while work goes on. Without --repair nothing is "
        "changed. Exit code 0: all are kept, or were repaired. 1: a list of the rows that break one."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        reach = parser.add_mutually_exclusive_group()
        reach.add_argument(
            "--days",
            type=days,
            default=DAYS,
            metavar="N",
            help=f"look at the history of the last N days (default: {DAYS}) and at the whole queue",
        )
        reach.add_argument("--all", action="store_true", help="look at the whole history")
        parser.add_argument("--repair", action="store_true", help="put right what can be put right safely")
        parser.add_argument("--dry-run", action="store_true", help="with --repair: only say what would be done")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, repair, print, and end with the exit code."""
        if options["dry_run"] and not options["repair"]:
            raise CommandError("--dry-run goes with --repair; without it nothing is changed anyway.")
        try:
            require_migrations()
        except NotMigrated as error:
            raise CommandError(str(error)) from error
        conn = own_connection("checkqueue", statement_timeout_seconds=0)
        try:
            since = None if options["all"] else database_now(conn) - timedelta(days=options["days"])
            started = time.monotonic()
            repairs = self._repair(conn, since, dry_run=options["dry_run"]) if options["repair"] else []
            broken = check(conn, since=since)
            seconds = time.monotonic() - started
        finally:
            conn.close()
        if options["json"]:
            self._write_json(broken, repairs, since, seconds, dry_run=options["dry_run"])
        else:
            self._write(broken, repairs, since, seconds, dry_run=options["dry_run"])
        if broken:
            sys.exit(1)

    def _repair(self, conn: Connection, since: datetime | None, *, dry_run: bool) -> list[Repair]:
        # A row may wait for work under way, and not for ever.
        conn.execute("SET lock_timeout = '10s'")
        done: list[Repair] = []
        for _ in range(PASSES):
            repairs = repair(conn, check(conn, since=since, most=MOST_REPAIRS), dry_run=dry_run)
            left = [one for one in repairs if not one.done]
            done += [one for one in repairs if one.done]
            if dry_run or len(left) == len(repairs):
                break
        if done and not dry_run:
            process_notifier().send(CLOCK_CHANNEL)
            close_process_notifier()
        return done + left

    def _write(
        self,
        broken: Sequence[Broken],
        repairs: Sequence[Repair],
        since: datetime | None,
        seconds: float,
        *,
        dry_run: bool,
    ) -> None:
        for one in repairs:
            word = ("would be repaired" if dry_run else "repaired") if one.done else "not repaired"
            self.stdout.write(f"{word}: {one.promise}: {one.row_id}: {one.what}")
        for row in broken:
            self.stdout.write(f"{self.style.ERROR('broken')}: {row.promise}: {row.row_id} ({row.detail})")
        seen = "the whole history" if since is None else f"the history since {since:%Y-%m-%d %H:%M} UTC"
        self.stdout.write(f"Looked at the whole queue and {seen}, for {seconds:.1f} s.")
        if not broken:
            self.stdout.write(self.style.SUCCESS(f"{len(PROMISES)} promises kept."))

    def _write_json(
        self,
        broken: Sequence[Broken],
        repairs: Sequence[Repair],
        since: datetime | None,
        seconds: float,
        *,
        dry_run: bool,
    ) -> None:
        said = {
            "kept": not broken,
            "promises": len(PROMISES),
            "since": since.isoformat() if since is not None else None,
            "seconds": round(seconds, 3),
            "dry_run": dry_run,
            "broken": [{"word": word_of(row.promise), **asdict(row)} for row in broken],
            "repairs": [{"word": word_of(one.promise), **asdict(one)} for one in repairs],
        }
        self.stdout.write(json.dumps(said))
