"""What a task's page says above its form: how it stands, when it fires, and how its last runs went."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.admin.cells import absolute, badge, exact_moment, moment
from scheduling.admin.param_values import JsonTextField
from scheduling.admin.task_actions import instance_url
from scheduling.admin.task_charts import HEIGHT, strip
from scheduling.admin.task_words import task_zone, trigger_words
from scheduling.domain.errors import InvalidField
from scheduling.domain.handlers import catalogue
from scheduling.domain.states import STATE_OF_ENTRY, EntryState
from scheduling.models import QueueEntry, Task
from scheduling.models.instance import STATE_LABELS
from scheduling.selectors import upcoming_fires
from scheduling.services.shown_params import shown_params
from scheduling.task_state import TASK_STATE_LABELS, state_of

#: So many unfinished instances are named.
MOST_LIVE = 8


def live_facts(task: Task, *, operate: bool, change: bool) -> dict[str, Any]:
    """Return the part of the page that follows what happens; ``operate`` and ``change`` are what the reader may do."""
    state = state_of(task)
    runs = strip(task)
    return {
        "state_badge": badge(state, TASK_STATE_LABELS[state]),
        "clock_error": task.clock.error,
        "next_fire": _countdown(task),
        "strip": runs,
        "strip_height": HEIGHT,
        "unfinished": _unfinished(task),
        "instances_url": f"{reverse('admin:scheduling_taskinstance_changelist')}?task={task.pk}",
        "page_actions": _page_actions(task, operate=operate, change=change),
    }


def standing_facts(task: Task) -> dict[str, Any]:
    """Return the part of the page that only an edit changes."""
    zone = task_zone(task)
    try:
        fires = [exact_moment(fire, zone=zone) for fire in upcoming_fires(task, count=5)]
    except InvalidField:
        fires = []
    return {
        "trigger_words": trigger_words(task),
        "fires": fires,
        "resolved_params": resolved_params(task),
    }


def resolved_params(task: Task) -> str:
    """Return what a run would get: the task's params and the handler's defaults for the rest, passwords hidden."""
    spec = catalogue.get(task.handler)
    params = dict(task.params) if isinstance(task.params, dict) else {}
    schema = spec.params_schema() if spec is not None else {}
    for key, part in schema.get("properties", {}).items():
        if key not in params and "default" in part:
            params[key] = part["default"]
    shown = shown_params(task.handler, params)
    return str(JsonTextField(schema={}, root={}, stored=None).prepare_value(shown))


def _countdown(task: Task) -> SafeString:
    next_at = task.clock.next_run_at if task.enabled else None
    if next_at is None:
        return SafeString("")
    return format_html(
        '<span class="rota-next">{} '
        '<time class="rota-countdown" data-countdown datetime="{}" title="{}">{}</time></span>',
        _("next fire"),
        next_at.isoformat(),
        absolute(next_at, task_zone(task)),
        moment(next_at, zone=task_zone(task)),
    )


def _unfinished(task: Task) -> list[dict[str, Any]]:
    found = QueueEntry.objects.filter(task=task.pk).order_by("sort_key", "pk")[:MOST_LIVE]
    rows = []
    for entry in found:
        state = STATE_OF_ENTRY[EntryState(entry.state)]
        rows.append(
            {
                "url": instance_url(entry.pk),
                "number": f"#{entry.pk}",
                "state": badge(state, STATE_LABELS[state]),
                "since": moment(entry.claimed_at or entry.run_at),
            }
        )
    return rows


def _page_actions(task: Task, *, operate: bool, change: bool) -> list[dict[str, Any]]:
    offered = []
    if operate:
        offered.append(_action(task, "run", "play_arrow", _("Run now"), main=True))
        offered.append({**_action(task, "run_with", "tune", _("Run with …")), "link": True})
        offered.append(
            _action(task, "pause", "pause", _("Pause"))
            if task.enabled
            else _action(task, "resume", "resume", _("Resume"))
        )
    if change:
        offered.append(_action(task, "duplicate", "content_copy", _("Duplicate")))
    return offered


def _action(task: Task, verb: str, icon: str, label: str, *, main: bool = False) -> dict[str, Any]:
    url = reverse(f"admin:scheduling_task_{verb}", args=[task.pk])
    return {"url": url, "icon": icon, "label": label, "main": main}
