"""How often a trigger fires: a number for machines, and words for people."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.cron_expression import parse_cron
from scheduling.domain.triggers.registry import TriggerSpec

#: Over how many days the fires of a day are averaged; over the longer span when they are rare: a schedule that fires
#: once a month has nothing to say about most weeks.
WEEK, YEAR = timedelta(days=7), timedelta(days=365)
_DAY = timedelta(days=1)
#: Beyond so many fires the estimate counts local times instead of walking from fire to fire.
_WALKED = 1000
_COUNTED = 100_000_000


def fires_per_day(spec: TriggerSpec, trigger: Trigger, after: datetime) -> float | None:
    """Return how often ``trigger`` fires in a day on average, from ``after`` on; None when no clock drives it.

    Averaged over a week, or over a year when there is less than one fire a day; an end of the schedule ends that
    span. 0.0 means that it does not fire within the year. Raises OverflowError at the end of the calendar.
    """
    if spec.kind not in (TriggerKind.CRON, TriggerKind.INTERVAL):
        return None
    start = max(after, spec.starts_at) if spec.starts_at is not None else after
    for span in (WEEK, YEAR):
        end = start + span
        if spec.ends_at is not None:
            end = min(end, spec.ends_at)
        if end <= start:
            return 0.0
        days = max(end - start, _DAY) / _DAY
        count = _count(spec, trigger, start, end)
        if count >= days:
            break
    return count / days


def rate_words(number: float) -> str:
    """Return that number as people say it: "about 3 fires a day", "about one fire in 30 days"; translated."""
    if number <= 0:
        return _("no fire within a year")
    if number >= 1:
        shown = round(number) if number >= 100 or number == int(number) else round(number, 1)
        return ngettext("about %(n)s fire a day", "about %(n)s fires a day", 1 if shown == 1 else 2) % {
            "n": localize(shown)
        }
    if (a_week := round(number * 7)) >= 1:
        return ngettext("about %(n)d fire a week", "about %(n)d fires a week", a_week) % {"n": a_week}
    return _("about one fire in %(n)d days") % {"n": round(1 / number)}


def _count(spec: TriggerSpec, trigger: Trigger, start: datetime, end: datetime) -> int:
    count = trigger.count_between(start, end, cap=_WALKED)
    if count < _WALKED or spec.kind != TriggerKind.CRON:
        return count
    # Fixed times on the clock are counted one by one; the local times say the same, but for clock changes.
    zone = ZoneInfo(spec.timezone)
    since, until = (moment.astimezone(zone).replace(tzinfo=None) for moment in (start, end))
    return parse_cron(spec.cron_expression, spec.hash_id).times.count_between(since, until, _COUNTED)
