"""manage.py simulate: what would happen between two moments?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.management.moments import read_moment
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.models import Task
from scheduling.runtime.simulation import Simulated, simulate
from scheduling.runtime.virtual_scheduler import TooManyInstances
from workers.runtime.model_worker import ModelWorker, Work


class Command(BaseCommand):
    """Parses, wires and prints; the simulation is in scheduling/runtime/simulation.py."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Shows what the scheduler would do with stored tasks between two moments: what runs, what is skipped, and what "
        "stands for several missed ticks. It drives the real scheduler on a virtual clock; nothing is executed, and "
        "nothing is left in the database. Moments are ISO 8601; without an offset they are meant in UTC."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--from", dest="start", required=True, metavar="ISO", help="Where the clock begins.")
        parser.add_argument("--until", "--to", dest="until", required=True, metavar="ISO", help="Where it ends.")
        parser.add_argument(
            "--task",
            action="append",
            default=[],
            metavar="NAME",
            help="Only this task, also when paused; NAMESPACE/NAME where the name is not unique. May be repeated.",
        )
        parser.add_argument(
            "--duration", type=float, default=1.0, metavar="SECONDS", help="How long each run lasts; 1 by default."
        )
        parser.add_argument(
            "--outage",
            action="append",
            default=[],
            metavar="FROM/TO",
            help="A time without any scheduler. May be repeated.",
        )
        parser.add_argument(
            "--limit", type=int, default=10_000, metavar="N", help="Give up beyond so many instances; 10000 by default."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON instead of a table.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Simulate, and print what happened."""
        start, until = read_moment("--from", options["start"]), read_moment("--until", options["until"])
        if until < start:
            raise CommandError(_("--until lies before --from."))
        if options["duration"] < 0:
            raise CommandError(_("--duration cannot be negative."))
        outages = _outages(options["outage"], start, until)
        tasks = _tasks(options["task"])
        work = Work(lasts=timedelta(seconds=options["duration"]))
        try:
            happened = simulate(
                [task.pk for task in tasks],
                start=start,
                until=until,
                worker=ModelWorker(lambda name: work),
                apps=["workers"],
                outages=outages,
                enable=bool(options["task"]),
                most_instances=options["limit"],
            )
        except TooManyInstances:
            raise CommandError(
                _("More than %(limit)d instances; choose a shorter time or single tasks, or raise --limit.")
                % {"limit": options["limit"]}
            ) from None
        except ProgrammingError as error:
            raise CommandError(
                _("A simulation needs the right to create a schema in the database: %(error)s")
                % {"error": " ".join(str(error).split())}
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(one) for one in happened], indent=2, ensure_ascii=False))
            return
        self._print(happened, len(tasks))

    def _print(self, happened: Sequence[Simulated], tasks: int) -> None:
        names = max((len(one.task) for one in happened), default=0)
        for one in happened:
            local = one.scheduled_for.astimezone(ZoneInfo(one.timezone))
            shown = f"{local:%Y-%m-%d %a %H:%M:%S} {_offset(local)}"
            self.stdout.write(f"{shown}  {one.task:<{names}}  {one.state:<9}  {_note(one)}".rstrip())
        counts = Counter(one.state for one in happened)
        summary = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or _("nothing happens")
        self.stdout.write(
            ngettext("%(tasks)d task: %(summary)s", "%(tasks)d tasks: %(summary)s", tasks)
            % {"tasks": tasks, "summary": summary}
        )


def _tasks(wanted: Sequence[str]) -> list[Task]:
    if not wanted:
        return list(Task.objects.enabled())
    found: list[Task] = []
    for text in wanted:
        namespace, _slash, name = text.rpartition("/")
        matching = Task.objects.filter(name=name, **({"namespace__name": namespace} if namespace else {}))
        tasks = list(matching.select_related("namespace")[:2])
        if not tasks:
            raise CommandError(_("There is no task “%(name)s”.") % {"name": text})
        if len(tasks) > 1:
            raise CommandError(
                _("Several namespaces have a task “%(name)s”; write NAMESPACE/%(name)s.") % {"name": name}
            )
        found += tasks
    return found


def _outages(texts: Sequence[str], start: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    outages = []
    for text in texts:
        begins, slash, ends = text.partition("/")
        if not slash:
            raise CommandError(_("--outage: write FROM/TO, not “%(text)s”.") % {"text": text})
        outages.append((read_moment("--outage", begins), read_moment("--outage", ends)))
    outages.sort()
    latest = start
    for begins_at, ends_at in outages:
        if not latest <= begins_at < ends_at <= until:
            raise CommandError(
                _("--outage: each lies between --from and --until, ends after it began, and overlaps no other.")
            )
        latest = ends_at
    return outages


def _offset(local: datetime) -> str:
    return local.isoformat()[-6:]


def _note(one: Simulated) -> str:
    notes = []
    if one.missed_count:
        since = one.missed_since.astimezone(ZoneInfo(one.timezone)) if one.missed_since else None
        stands = _("stands for %(count)d missed ticks since %(since)s")
        notes.append(stands % {"count": one.missed_count, "since": f"{since:%Y-%m-%d %H:%M:%S}" if since else "?"})
    late = (one.fired_at - one.scheduled_for).total_seconds()
    if late >= 1:
        notes.append(_("%(seconds)d s late") % {"seconds": late})
    if one.reason not in ("", "completed"):
        notes.append(f"{one.reason}: {one.message}" if one.message else one.reason)
    return "; ".join(notes)


def _as_json(one: Simulated) -> dict[str, Any]:
    def shown(moment: datetime | None) -> str | None:
        return None if moment is None else moment.isoformat().replace("+00:00", "Z")

    return {
        "namespace": one.namespace,
        "task": one.task,
        "scheduled_for": shown(one.scheduled_for),
        "local": one.scheduled_for.astimezone(ZoneInfo(one.timezone)).isoformat(),
        "state": one.state,
        "reason": one.reason,
        "message": one.message,
        "missed_count": one.missed_count,
        "missed_since": shown(one.missed_since),
        "fired_at": shown(one.fired_at),
        "started_at": shown(one.started_at),
        "finished_at": shown(one.finished_at),
    }
