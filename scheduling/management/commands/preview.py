"""manage.py preview: when does a cron expression fire?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from scheduling.domain.errors import InvalidField
from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.cron import DstFold, DstGap
from scheduling.domain.triggers.cron_expression import uses_hash
from scheduling.domain.triggers.registry import TriggerSpec
from scheduling.management.moments import read_moment
from scheduling.services.preview import MOST_FIRES, Preview, preview


class Command(BaseCommand):
    """Parses and prints; the answer is `scheduling.services.preview`."""

    help = (
        "Shows the fire times of a cron expression, without a database. Moments are ISO 8601; without an offset they "
        "are meant in UTC. Exit code 1 and one sentence when the expression cannot be used."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--cron", required=True, metavar="EXPR", help="5 fields; 6: seconds first; 7: year last.")
        parser.add_argument("--timezone", default="UTC", metavar="ZONE", help="An IANA name; UTC by default.")
        parser.add_argument("--after", metavar="ISO", help="The first fire lies after this moment; by default, now.")
        parser.add_argument("--count", default="10", metavar="N", help="How many fires; 10 by default.")
        parser.add_argument(
            "--dst-gap", default=DstGap.RUN_AFTER_GAP.value, metavar="|".join(DstGap), help="The first is the default."
        )
        parser.add_argument(
            "--dst-fold", default=DstFold.FIRST.value, metavar="|".join(DstFold), help="The first is the default."
        )
        parser.add_argument("--task-id", default="", metavar="ID", help="What “H” in the expression is drawn from.")
        parser.add_argument("--json", action="store_true", help="Print a JSON list of UTC instants.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compute and print."""
        count = _count(options["count"])
        if not options["task_id"] and uses_hash(options["cron"]):
            raise CommandError(_("“H” is drawn from a task's id; give one with --task-id."))
        spec = TriggerSpec(
            kind=TriggerKind.CRON,
            cron_expression=options["cron"],
            timezone=options["timezone"],
            dst_gap=options["dst_gap"],
            dst_fold=options["dst_fold"],
            hash_id=options["task_id"],
        )
        try:
            shown = preview(
                spec,
                count=count,
                after=read_moment("--after", options["after"]) if options["after"] else None,
            )
        except InvalidField as error:
            raise CommandError(_(error.message) % error.params) from error
        if options["json"]:
            self.stdout.write(json.dumps([each.at.isoformat().replace("+00:00", "Z") for each in shown.fires]))
        else:
            self._print(shown)

    def _print(self, shown: Preview) -> None:
        self.stdout.write(f"{shown.words} ({shown.timezone})")
        for fire in shown.fires:
            part = f".{fire.at.microsecond // 1000:03d}" if shown.to_the_millisecond else ""
            local, offset = f"{fire.local:%Y-%m-%d %a %H:%M:%S}{part}", fire.local.isoformat()[-6:]
            self.stdout.write(f"{local} {offset}  {fire.at:%Y-%m-%dT%H:%M:%S}{part}Z  {' '.join(fire.notes)}".rstrip())
        for skipped in shown.left_out:
            self.stdout.write(
                _("%(local)s does not exist and is skipped.") % {"local": f"{skipped:%Y-%m-%d %a %H:%M:%S}"}
            )
        for note in shown.notes:
            self.stdout.write(note)
        if shown.rate_words:
            self.stdout.write(f"{capfirst(shown.rate_words)}.")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_FIRES:
        raise CommandError(_("--count must be a number from 1 to %(limit)d.") % {"limit": MOST_FIRES})
    return int(text)
