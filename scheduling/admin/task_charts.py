"""Small charts of one task: how its last runs ended and how long they took, and how each of the last days went.

They are drawn by the server as SVG: no script is needed to see them, and each has its numbers as words beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.admin.cells import NOTHING, absolute, duration
from scheduling.admin.ratio import percent
from scheduling.domain.spans import Span
from scheduling.domain.states import InstanceState
from scheduling.models import Task, TaskInstance
from scheduling.models.instance import STATE_LABELS
from scheduling.statistics import Counts, OutcomeSeries, outcomes_over_time, recent_ends, scope_of

#: The height of a chart in units of its own.
HEIGHT = 40

#: So many runs are in the strip.
STRIP = 50

_OUTCOMES = ("succeeded", "failed", "cancelled", "skipped")


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run in the strip: where it leads, how it ended, how tall it stands, and all of that in words."""

    url: str
    state: str
    height: int
    top: int
    words: str


def strip(task: Task) -> list[Run]:
    """Return the last runs, oldest first; the longer one took, the taller it is. One query."""
    ends = recent_ends(task.pk, limit=STRIP)
    longest = max((_lasted(each) for each in ends), default=timedelta(0)).total_seconds() or 1.0
    return [_run(each, longest) for each in ends]


def _run(instance: TaskInstance, longest: float) -> Run:
    lasted = _lasted(instance).total_seconds()
    took = duration(instance.started_at, instance.finished_at)
    words = f"{instance.state_label} · {absolute(instance.scheduled_for)}"
    if instance.started_at is not None:
        words += f" · {took}"
    if instance.reason:
        words += f" · {instance.reason}"
    # By the square root: one very long run shall not make all others look alike.
    height = max(6, round((lasted / longest) ** 0.5 * HEIGHT))
    return Run(
        url=reverse("admin:scheduling_taskinstance_change", args=[instance.pk]),
        state=instance.state.value,
        height=height,
        top=HEIGHT - height,
        words=words,
    )


def _lasted(instance: TaskInstance) -> timedelta:
    if instance.started_at is None or instance.finished_at is None:
        return timedelta(0)
    return instance.finished_at - instance.started_at


def task_trend(task: Task, reader: Any) -> dict[str, Any]:
    """Return the ratios of the last day, week and month, and a chart of the month by day. Three queries at most."""
    now, zone, scope = timezone.now(), timezone.get_current_timezone(), scope_of(reader, task_id=task.pk)
    day = outcomes_over_time(scope, span=Span.DAY, zone=zone, now=now)
    month = outcomes_over_time(scope, span=Span.MONTH, zone=zone, now=now)
    week = outcomes_over_time(scope, span=Span.WEEK, zone=zone, now=now)
    means = [slot.counts.mean_seconds for slot in month.slots]
    p95s = [slot.counts.p95_seconds for slot in month.slots]
    most = max((value for value in [*means, *p95s] if value is not None), default=0.0) or 1.0
    return {
        "ratios": [
            _ratio(_("24 hours"), day.total),
            _ratio(_("7 days"), week.total),
            _ratio(_("30 days"), month.total),
        ],
        "days": _days(month) if month.total.total else [],
        "chart_height": HEIGHT,
        "chart_width": 10 * len(month.slots),
        "legend": [(word, STATE_LABELS[InstanceState(word)]) for word in _OUTCOMES],
        "mean_line": _line(means, most),
        "p95_line": _line(p95s, most),
    }


def _ratio(words: str, counts: Counts) -> dict[str, Any]:
    ratio = counts.success_ratio
    return {
        "span": words,
        "percent": percent(ratio),
        "bad": ratio is not None and ratio < 1,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "mean": _seconds(counts.mean_seconds),
        "p95": _seconds(counts.p95_seconds),
    }


def _days(series: OutcomeSeries) -> list[dict[str, Any]]:
    most = max(slot.counts.total for slot in series.slots) or 1
    days = []
    for place, slot in enumerate(series.slots):
        parts, top = [], HEIGHT
        for outcome in _OUTCOMES:
            count = getattr(slot.counts, outcome)
            if count:
                height = max(1, round(count / most * HEIGHT))
                top = max(0, top - height)
                parts.append({"outcome": outcome, "y": top, "height": height})
        days.append(
            {
                "x": place * 10,
                "day": _day(slot.begins_at),
                "parts": parts,
                "counts": slot.counts,
                "mean": _seconds(slot.counts.mean_seconds),
                "p95": _seconds(slot.counts.p95_seconds),
            }
        )
    return days


def _line(values: Sequence[float | None], most: float) -> list[dict[str, int]]:
    """Return the points of a line; days without a value have none."""
    return [
        {"x": place * 10 + 4, "y": round((1 - value / most) * (HEIGHT - 4)) + 2}
        for place, value in enumerate(values)
        if value is not None
    ]


def _seconds(value: float | None) -> str:
    now = timezone.now()
    return NOTHING if value is None else duration(now, now + timedelta(seconds=value))


def _day(at: datetime) -> str:
    return date_format(timezone.localtime(at), "Y-m-d")
