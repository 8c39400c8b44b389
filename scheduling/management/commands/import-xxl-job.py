"""manage.py import-xxl-job: carry the jobs of XXL-JOB over."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from scheduling.domain.errors import InvalidField
from scheduling.domain.triggers.zone import find_zone
from scheduling.importers.command import ImportCommand
from scheduling.importers.function_map import FunctionMap
from scheduling.importers.result import Imported
from scheduling.importers.xxl_job import import_xxl_job
from scheduling.importers.xxl_rows import read_xxl_rows


class Command(ImportCommand):
    """Names the source; what its rows mean is in scheduling/importers/xxl_job.py."""

    help = (
        "Reads a dump of XXL-JOB's table xxl_job_info (mysqldump, CSV or JSON) and makes tasks of it. Every row, and "
        "every part of one, that cannot be carried over is reported."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("dump", metavar="DUMP", help="the file")
        super().add_arguments(parser)
        parser.add_argument(
            "--timezone",
            default=None,
            metavar="ZONE",
            help=f"in which XXL-JOB's server ran, because no dump says it (default: {settings.TIME_ZONE})",
        )

    def read(self, functions: FunctionMap, options: dict[str, Any]) -> Imported:
        """Return what the dump holds."""
        zone = options["timezone"] or settings.TIME_ZONE
        try:
            find_zone(zone)
        except InvalidField as error:
            raise CommandError(str(error)) from error
        if options["timezone"] is None:
            self.stderr.write(f"Expressions are read on the wall clock of {zone}; --timezone ZONE names another.")
        rows = read_xxl_rows(Path(options["dump"]))
        return import_xxl_job(rows, functions=functions, namespace=options["namespace"], timezone=zone)
