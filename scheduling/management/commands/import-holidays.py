"""manage.py import-holidays: public holidays of a country as rules of a calendar."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import DEFAULT_NAMESPACE, Namespace
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.models import Calendar
from scheduling.services import import_holidays, save_calendar


def _years(text: str) -> list[int]:
    """Return the years that ``2026`` or ``2026-2028`` names."""
    first, _dash, last = text.partition("-")
    try:
        found = list(range(int(first), int(last or first) + 1))
    except ValueError:
        found = []
    if not found or len(found) > 200:
        raise ArgumentTypeError("give a year such as 2026, or a range such as 2026-2028")
    return found


class Command(BaseCommand):
    """Parses and prints; the import is in scheduling/services/public_holidays.py."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Adds the public holidays of a country to a calendar, as blackouts, and the working days that make up for "
        "bridge days, where they are known, as inclusions. The calendar is made when there is none of that name. "
        "Doing it again adds only what is new."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("calendar", help="the calendar's name")
        parser.add_argument("country", help="the ISO 3166 code of the country, such as CN or DE")
        parser.add_argument("years", nargs="+", type=_years, help="2026, or 2026-2028")
        parser.add_argument("--subdivision", default="", help="the code of a state or province, such as BY")
        parser.add_argument("--weekends", action="store_true", help="black out the country's weekend as well")
        parser.add_argument("--namespace", default=DEFAULT_NAMESPACE, help="where the calendar lives")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, and say what was added."""
        try:
            namespace = Namespace.objects.get(name=options["namespace"])
        except Namespace.DoesNotExist as error:
            raise CommandError(_("There is no namespace “%(name)s”.") % {"name": options["namespace"]}) from error
        try:
            with transaction.atomic():
                found = Calendar.objects.filter(namespace=namespace, name=options["calendar"]).first()
                calendar = found or save_calendar(Calendar(namespace=namespace, name=options["calendar"]), [])
                done = import_holidays(
                    calendar,
                    country=options["country"],
                    subdivision=options["subdivision"],
                    years={year for years in options["years"] for year in years},
                    weekends=options["weekends"],
                )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        for rule in done.added:
            when = rule.first_day.isoformat() if rule.first_day else ",".join(map(str, rule.weekdays or ()))
            self.stdout.write(f"{rule.effect}\t{when}\t{rule.note}")
        self.stderr.write(
            _("%(calendar)s: %(added)d added, %(known)d known before")
            % {"calendar": calendar.name, "added": len(done.added), "known": done.known}
        )
