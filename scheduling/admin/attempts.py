"""The attempts at one instance: a line for each, with a bar that says when it waited and when it ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.admin.cells import badge, duration, exact_moment, link, moment
from scheduling.domain.states import EntryState
from scheduling.instance_relations import entry_of
from scheduling.models import TaskInstance

#: Of more attempts than this the latest are shown.
MOST_ATTEMPTS = 50

#: The width of a bar in units of its own; the page stretches it.
BAR_WIDTH = 1000

#: What is shorter than this is drawn as long as this, so that nothing is invisible.
THINNEST = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A piece of a bar, in units of `BAR_WIDTH`. ``kind`` is `waiting`, `running`, `delay` or an attempt's state."""

    kind: str
    x: int
    width: int
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """The stretch of time that all bars of a page show."""

    begins_at: datetime
    ends_at: datetime

    def segment(self, kind: str, start: datetime, end: datetime, words: str) -> Segment:
        """Return the piece from ``start`` to ``end``, within the bar and never too thin to see."""
        width = min(max(self._place(end) - self._place(start), THINNEST), BAR_WIDTH)
        return Segment(kind=kind, x=min(self._place(start), BAR_WIDTH - width), width=width, words=words)

    def _place(self, at: datetime) -> int:
        length = (self.ends_at - self.begins_at).total_seconds() or 1.0
        share = (at - self.begins_at).total_seconds() / length
        return round(min(max(share, 0.0), 1.0) * BAR_WIDTH)


def attempts_shown(instance: TaskInstance) -> dict[str, Any]:
    """Return the attempts at ``instance``, newest first, and the one to come; their results are not read.

    Their app is not known here, only their addresses. One query.
    """
    found = list(
        instance.executions.filter(scheduled_for=instance.scheduled_for).defer("result").order_by("-id")[:MOST_ATTEMPTS]
    )
    entry = entry_of(instance)
    next_at = entry.run_at if entry is not None and entry.state == EntryState.DELAYED else None
    now = timezone.now()
    axis = _axis(instance, found, next_at, now)
    lines = [_line(each, found[place + 1 : place + 2], instance, axis, now) for place, each in enumerate(found)]
    return {
        "attempts": lines,
        "coming": _coming(found, next_at, axis),
        "begins": exact_moment(axis.begins_at),
        "ends": exact_moment(axis.ends_at),
        "bar_width": BAR_WIDTH,
        "latest": found[0] if found else None,
    }


def _axis(instance: TaskInstance, found: Sequence[Any], next_at: datetime | None, now: datetime) -> Axis:
    # Not before it was there: an instance of a backfill, or of a missed tick, did not wait since its nominal moment.
    begins = max(instance.scheduled_for, instance.created_at)
    if len(found) == MOST_ATTEMPTS:
        begins = found[-1].started_at
    elif found:
        begins = min(begins, found[-1].started_at)
    ends = next_at or instance.finished_at or max([now, *(each.finished_at or now for each in found[:1])])
    return Axis(begins_at=begins, ends_at=max(ends, begins))


def _line(execution: Any, before: Sequence[Any], instance: TaskInstance, axis: Axis, now: datetime) -> dict[str, Any]:
    free_at = before[0].finished_at if before else axis.begins_at
    end = execution.finished_at or now
    ran = duration(execution.started_at, end)
    gap = duration(free_at, execution.started_at)
    state = execution.get_state_display()
    segments = []
    if free_at is not None and free_at < execution.started_at:
        words = _("next attempt after %(time)s") if before else _("waited %(time)s")
        segments.append(
            axis.segment("delay" if before else "waiting", free_at, execution.started_at, words % {"time": gap})
        )
    segments.append(axis.segment(execution.state, execution.started_at, end, f"{state}, {ran}"))
    return {
        "number": link(reverse("admin:workers_execution_change", args=[execution.pk]), f"#{execution.pk}"),
        "attempt": execution.attempt,
        "state": badge(execution.state, state, title=execution.full_message),
        "started": moment(execution.started_at),
        "waited": gap,
        "took": ran,
        "message": execution.full_message,
        "log": link(reverse("admin:workers_execution_log", args=[execution.pk]), _("Log")),
        "segments": segments,
    }


def _coming(found: Sequence[Any], next_at: datetime | None, axis: Axis) -> dict[str, Any] | None:
    if next_at is None or not found or found[0].finished_at is None:
        return None
    delay = duration(found[0].finished_at, next_at)
    return {
        "at": moment(next_at),
        "delay": delay,
        "segments": [
            axis.segment("delay", found[0].finished_at, next_at, _("next attempt after %(time)s") % {"time": delay})
        ],
    }
