"""What the import commands have in common: their options, and what they do with what was found."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import DEFAULT_NAMESPACE
from scheduling.importers.carry_over import apply_import, as_definition_file, namespace_exists, note_problems
from scheduling.importers.function_map import FunctionMap, read_function_map
from scheduling.importers.result import CannotCarryOver, Imported
from scheduling.services.definitions import DefinitionsRefused


class ImportCommand(BaseCommand):
    """Reads with `read`, then writes a definition file or stores tasks, and reports every note."""

    requires_migrations_checks = True

    def read(self, functions: FunctionMap, options: dict[str, Any]) -> Imported:
        """Return what the source holds. Raises CannotCarryOver when it cannot be read at all."""
        raise NotImplementedError

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options that every import has."""
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("-o", "--output", metavar="FILE", help="write definitions to a file (- for standard output)")
        what.add_argument("--apply", action="store_true", help="store the tasks at once; what is refused is skipped")
        parser.add_argument("--namespace", default=DEFAULT_NAMESPACE, help="of the tasks (default: %(default)s)")
        parser.add_argument("--owner", default="", help="with --apply: the set of files that the tasks belong to")
        parser.add_argument("--overwrite", action="store_true", help="with --apply: also change tasks that exist")
        parser.add_argument(
            "--function-map", metavar="FILE", help="old names to registered functions, YAML or JSON (see the docs)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import and report; the exit code is 0 when the source could be read, whatever had to be skipped."""
        if not namespace_exists(options["namespace"]):
            raise CommandError(f"There is no namespace “{options['namespace']}”.")
        try:
            functions = FunctionMap()
            if options["function_map"]:
                functions = read_function_map(Path(options["function_map"]))
            found = self.read(functions, options)
            if options["apply"]:
                apply_import(
                    found, namespace=options["namespace"], owner=options["owner"], overwrite=options["overwrite"]
                )
            else:
                note_problems(found)
                self._write(options["output"], as_definition_file(found))
        except CannotCarryOver as error:
            raise CommandError(f"Nothing was imported: {error}") from error
        except DefinitionsRefused as error:
            raise CommandError("\n".join([*map(str, error.problems), str(error)])) from error
        self._report(found, "stored" if options["apply"] else "written")

    def _write(self, name: str, text: str) -> None:
        if name == "-":
            self.stdout.write(text, ending="")
            return
        try:
            Path(name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{name} cannot be written: {error.strerror}.") from error

    def _report(self, found: Imported, done: str) -> None:
        # On standard error, so that "-o -" gives a file and nothing else.
        for note in found.notes:
            self.stderr.write((self.style.ERROR if note.skipped else self.style.WARNING)(str(note)))
        notes = sum(not note.skipped for note in found.notes)
        self.stderr.write(
            f"{found.rows} read, {len(found.definitions)} {done}, {found.skipped} skipped; "
            f"{notes} {'note' if notes == 1 else 'notes'} about what is different."
        )
