"""manage.py checkqueue: are the promises about the queue kept?"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.db import own_connection
from scheduling.exceptions import NotMigrated
from scheduling.schema import require_migrations
from workers.engine.check import PROMISES, check


class Command(BaseCommand):
    """Shows what `workers.engine.check` finds."""

    help = (
        "Checks the promises about the queue against the database, without changing anything and while work goes on. "
        "Exit code 0: all are kept. 1: a list of the rows that break one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, print, and end with the exit code."""
        try:
            require_migrations()
        except NotMigrated as error:
            raise CommandError(str(error)) from error
        conn = own_connection("checkqueue")
        try:
            broken = check(conn)
        finally:
            conn.close()
        if not broken:
            self.stdout.write(self.style.SUCCESS(f"{len(PROMISES)} promises kept."))
            return
        for row in broken:
            self.stdout.write(f"{self.style.ERROR('broken')}: {row.promise}: {row.row_id} ({row.detail})")
        sys.exit(1)
