"""manage.py export: write tasks, calendars and pools as definition files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.management.own_checks import OWN_CHECKS
from scheduling.services.definitions import as_json, as_yaml, export_definitions


class Command(BaseCommand):
    """Selects and writes; what a definition holds is in scheduling/services/definitions/."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Writes tasks, calendars and pools as definitions that `apply` reads: only what differs from the defaults, "
        "always in the same order, and a mask instead of each secret."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--namespace", default="", help="only what belongs to this namespace")
        parser.add_argument(
            "--task", dest="tasks", action="append", default=[], metavar="NAME", help="only this task; may be repeated"
        )
        parser.add_argument("--owner", default="", help="only tasks that belong to this set of files")
        parser.add_argument("-o", "--output", default="-", metavar="FILE", help="default: standard output")
        parser.add_argument("--format", choices=["yaml", "json"], default="yaml")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the definitions."""
        definitions = export_definitions(namespace=options["namespace"], names=options["tasks"], owner=options["owner"])
        exported = {each["name"] for each in definitions if each["kind"] == "task"}
        if missing := sorted(set(options["tasks"]) - exported):
            raise CommandError(f"There is no such task: {', '.join(missing)}.")
        text = as_json(definitions) if options["format"] == "json" else as_yaml(definitions)
        if options["output"] == "-":
            self.stdout.write(text, ending="")
            return
        try:
            Path(options["output"]).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"{len(definitions)} definitions written to {options['output']}.")
