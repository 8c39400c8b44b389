"""manage.py apply: make tasks, calendars and pools equal to files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.management.own_checks import OWN_CHECKS
from scheduling.services.definitions import (
    Applied,
    DefinitionsRefused,
    Documents,
    Outcome,
    apply_definitions,
    read_paths,
    read_text,
)

#: The exit code of --check when something would change.
WOULD_CHANGE = 2


class Command(BaseCommand):
    """Reads, hands over and reports; what applying means is in scheduling/services/definitions/."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Creates and changes the tasks, calendars and pools that YAML or JSON files define, all in one transaction, "
        "or none when anything is wrong. Exit code 0: applied (or shown). 1: refused, with every problem and its "
        "place. 2: with --check, something would change."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "-f",
            "--file",
            dest="files",
            action="append",
            required=True,
            metavar="FILE|DIR",
            help="a definition file, a directory of them, or - for standard input (YAML or JSON); may be repeated",
        )
        parser.add_argument("--owner", default="", help="mark the tasks as belonging to this set of files")
        parser.add_argument(
            "--prune", action="store_true", help="delete tasks with the mark of --owner that the files do not define"
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
        parser.add_argument(
            "--check", action="store_true", help="like --dry-run, and end with code 2 when something would change"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply, print, and end with the exit code."""
        dry_run = options["dry_run"] or options["check"]
        if options["prune"] and not options["owner"]:
            raise CommandError("--prune deletes only within a named owner: add --owner NAME.")
        documents = self._read(options["files"])
        try:
            applied = apply_definitions(documents, owner=options["owner"], prune=options["prune"], dry_run=dry_run)
        except DefinitionsRefused as error:
            lines = [*map(str, error.problems), str(error)]
            raise CommandError("\n".join(lines)) from error
        self._show(applied, verbosity=options["verbosity"])
        if options["check"] and applied.changes_something:
            sys.exit(WOULD_CHANGE)

    def _read(self, names: list[str]) -> Documents:
        documents = read_paths(Path(each) for each in names if each != "-")
        if "-" in names:
            text = sys.stdin.read()
            # JSON is YAML but for its escapes and its large numbers.
            piped = read_text(text, source="standard input", as_json=text.lstrip()[:1] in {"{", "["})
            documents.objects += piped.objects
            documents.problems += piped.problems
        return documents

    def _show(self, applied: Applied, *, verbosity: int) -> None:
        styles = {
            Outcome.CREATED: self.style.SUCCESS,
            Outcome.CHANGED: self.style.WARNING,
            Outcome.PRUNED: self.style.ERROR,
        }
        for change in applied.changes:
            style = styles.get(change.outcome)
            if style is not None or verbosity > 1:
                word = f"{change.outcome.value:9}"
                self.stdout.write(f"{style(word) if style else word} {change.subject}")
            if applied.dry_run and change.diff:
                self.stdout.write(self._coloured(change.diff))
        counts = ", ".join(f"{applied.count(each)} {each.value}" for each in Outcome)
        self.stdout.write(f"{counts}{' (dry run: nothing was changed)' if applied.dry_run else ''}")

    def _coloured(self, diff: str) -> str:
        styles = {"+": self.style.SUCCESS, "-": self.style.ERROR}
        return "\n".join(
            styles[line[0]](line) if line[:1] in styles and line[:3] not in {"+++", "---"} else line
            for line in diff.splitlines()
        )
