"""manage.py statistics: compute what the charts show anew from the history."""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.db import Connection, own_connection
from scheduling.engine.history_days import history_days
from scheduling.engine.partitions import bounds_of
from scheduling.engine.rebuild_statistics import rebuild_statistics
from scheduling.exceptions import NotMigrated
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.schema import require_migrations


class Command(BaseCommand):
    """Rebuilds the statistics."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Computes the statistics anew from the history, while work goes on. They are kept exactly by themselves; "
        "this is for a history that was changed by other means, such as a restored or imported one."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--rebuild", action="store_true", required=True, help="compute them anew")
        parser.add_argument(
            "--since",
            metavar="DATE",
            help="from this day on (UTC); older statistics stay (default: the second day of the history that is there)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rebuild, and say how many ends were counted."""
        try:
            require_migrations()
            since = date.fromisoformat(options["since"]) if options["since"] else None
        except NotMigrated as error:
            raise CommandError(str(error)) from error
        except ValueError:
            raise CommandError(f"--since: “{options['since']}” is no day; write it as in 2026-03-29.") from None
        conn, lock = (own_connection(name, statement_timeout_seconds=0) for name in ("statistics", "statistics lock"))
        try:
            first = since or _second_day(conn)
            counted = rebuild_statistics(conn, lock, since=bounds_of(first)[0])
        finally:
            conn.close()
            lock.close()
        self.stdout.write(f"Counted {counted} ended instances since {first}.")


def _second_day(conn: Connection) -> date:
    """Return the day after the oldest one from which on no day is missing: on the first, ends of earlier days lie."""
    days = [day.day for day in history_days(conn) if "rota_instance" in day.partitions]
    first = days[-1]
    for day in reversed(days):
        if (first - day).days > 1:
            break
        first = day
    return first + timedelta(days=1)
