"""A task in a few words: its state, its trigger, and when it runs next."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.formats import localize
from django.utils.translation import gettext as _

from accounts.admin.cells import absolute
from scheduling.domain.policies import TriggerKind
from scheduling.models import Task
from scheduling.models.seconds import plain_seconds


def task_zone(task: Task) -> ZoneInfo | None:
    """Return the task's time zone; None when this machine does not know it."""
    try:
        return ZoneInfo(task.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def trigger_words(task: Task) -> str:
    """Return the trigger as one short line."""
    match task.trigger:
        case TriggerKind.CRON:
            return task.cron_expression if task.timezone == "UTC" else f"{task.cron_expression} · {task.timezone}"
        case TriggerKind.INTERVAL:
            return _("every %(length)s") % {"length": span(task.every_seconds or 0)}
        case TriggerKind.FIXED_DELAY:
            return _("%(length)s after the end") % {"length": span(task.every_seconds or 0)}
        case TriggerKind.ONCE:
            return _("once") if task.run_at is None else _("once, %(at)s") % {"at": absolute(task.run_at)}
        case _:
            return _("by hand")


def span(seconds: float) -> str:
    """Return a length of time in the units that express it exactly: 90 s, 5 min, 2 h, 1 d."""
    for size, unit in ((86_400, _("%(n)d d")), (3600, _("%(n)d h")), (60, _("%(n)d min"))):
        if seconds and seconds % size == 0:
            return unit % {"n": seconds // size}
    return _("%(n)s s") % {"n": localize(plain_seconds(seconds))}
