"""manage.py translations: bring the catalogues up to date with the code, or tell what they lack."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Parses and prints; what is done is in config/translations.py."""

    help = (
        "Gathers the texts of the code into locale/*/LC_MESSAGES/*.po and compiles what is translated there. "
        "Then lists what lacks a translation. For development: needs Babel."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--check", action="store_true", help="write nothing; fail when something is missing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Gather, compile, and list what is missing."""
        try:
            from config import translations
        except ModuleNotFoundError as error:
            raise CommandError(f"This needs Babel, a tool of development: {error}.") from error
        if not options["check"]:
            for source in translations.SOURCES:
                for language in translations.languages():
                    catalogue = translations.update(language, source)
                    self.stdout.write(f"{translations.catalogue_path(language, source.domain)}: {len(catalogue)} texts")
        lacking = [line for gaps in translations.all_gaps().values() for line in gaps.lines()]
        for line in lacking:
            self.stdout.write(line)
        if lacking and options["check"]:
            raise CommandError("Run “make messages”, translate what it lists, and run it again.")
