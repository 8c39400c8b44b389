"""manage.py import-celery-beat: carry the periodic tasks of django-celery-beat over."""

from __future__ import annotations

import argparse
from typing import Any

from django.utils import timezone

from scheduling.importers.celery_beat import import_celery_beat
from scheduling.importers.celery_tables import read_celery_tables
from scheduling.importers.command import ImportCommand
from scheduling.importers.function_map import FunctionMap
from scheduling.importers.result import Imported


class Command(ImportCommand):
    """Names the source; what its rows mean is in scheduling/importers/celery_beat.py."""

    help = (
        "Reads the tables of django-celery-beat (nothing is written there) and makes tasks of them: crontabs, "
        "intervals and clocked runs. Every row, and every part of one, that cannot be carried over is reported."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument(
            "--database-url", metavar="URL", help="where the tables are (default: this database); any SQL database"
        )

    def read(self, functions: FunctionMap, options: dict[str, Any]) -> Imported:
        """Return what the tables hold."""
        tables = read_celery_tables(options["database_url"])
        return import_celery_beat(tables, functions=functions, namespace=options["namespace"], now=timezone.now())
