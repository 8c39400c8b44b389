"""The timeline: what fires within the next hour, minute by minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin.cells import moment
from config.dashboard.scale import HEIGHT, round_top, unit
from config.dashboard.task_bars import task_link
from scheduling.statistics import UpcomingFire

MINUTES = 60
WIDTH = 10.0

#: So many fires are read at most, and so many are named.
MOST_FIRES, NAMED_FIRES = 200, 8

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Minute:
    """One minute's bar."""

    x: str
    slot_x: str
    y: str
    height: str
    count: int
    time: str
    says: str
    label: str


@dataclass(frozen=True, slots=True)
class NextFire:
    """One of the first fires."""

    at: SafeString
    task: SafeString
    namespace: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """What the template draws."""

    minutes: Sequence[Minute]
    width: str
    named: Sequence[NextFire]
    #: How many there are, in words.
    says: str

    @property
    def busy_minutes(self) -> Sequence[Minute]:
        """The minutes in which something fires."""
        return [minute for minute in self.minutes if minute.count]


def timeline(fires: Sequence[UpcomingFire], now: datetime) -> Timeline:
    """Return the hour from ``now`` on; ``fires`` are in order, and at most `MOST_FIRES`."""
    first = now.replace(second=0, microsecond=0)
    counts = Counter(int((fire.at - first) // _MINUTE) for fire in fires)
    top = round_top(max(counts.values(), default=0))
    return Timeline(
        minutes=[_minute(number, first, counts[number], top) for number in range(MINUTES + 1)],
        width=unit((MINUTES + 1) * WIDTH),
        named=[
            NextFire(moment(fire.at, now=now), task_link(fire.task_id, fire.name, exists=True), fire.namespace)
            for fire in fires[:NAMED_FIRES]
        ],
        says=_says(fires),
    )


def _says(fires: Sequence[UpcomingFire]) -> str:
    if len(fires) >= MOST_FIRES:
        last = date_format(timezone.localtime(fires[-1].at), "H:i:s")
        return _("The next %(n)d fires, until %(time)s.") % {"n": len(fires), "time": last}
    return ngettext("%(n)d fire within the next hour.", "%(n)d fires within the next hour.", len(fires)) % {
        "n": len(fires)
    }


def _minute(number: int, first: datetime, count: int, top: int) -> Minute:
    height = HEIGHT * count / top
    local = timezone.localtime(first + number * _MINUTE)
    when = date_format(local, "H:i")
    return Minute(
        x=unit(number * WIDTH + WIDTH * 0.15),
        slot_x=unit(number * WIDTH),
        y=unit(HEIGHT - height),
        height=unit(height),
        count=count,
        time=when,
        says=f"{when}: " + (ngettext("%(n)d fire", "%(n)d fires", count) % {"n": count}),
        label=when if local.minute % 15 == 0 else "",
    )
