"""The part of an instance's page that changes while it lives: its state, its attempts, its result, what follows."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.admin.cells import badge, exact_moment, link
from accounts.permissions import visible_to
from scheduling.admin.attempts import attempts_shown
from scheduling.admin.instance_waiting import gates_shown
from scheduling.admin.ledger_row import ledger_row
from scheduling.admin.result_view import shown_result
from scheduling.admin.task_actions import instance_url
from scheduling.domain.states import InstanceState
from scheduling.instance_relations import entry_of, task_of
from scheduling.models import TaskInstance
from scheduling.stored_sentences import retold

#: So many instances that repeat this one are named.
MOST_FOLLOW_UPS = 20


def instance_facts(instance: TaskInstance, reader: Any, *, may_operate: bool) -> dict[str, Any]:
    """Return what templates/admin/scheduling/taskinstance/live.html shows; the reader may see the instance."""
    stopping = _stopping(instance)
    attempts = attempts_shown(instance)
    return {
        **attempts,
        **_result(instance, attempts["latest"]),
        "state_badge": badge(instance.state, instance.state_label),
        "task_link": ledger_row(instance).task_link(),
        "gates": gates_shown(instance),
        "stopping": stopping,
        "page_actions": _page_actions(instance, stopping=stopping is not None) if may_operate else [],
        "parent": link(instance_url(instance.rerun_of), f"#{instance.rerun_of}") if instance.rerun_of else "",
        "follow_ups": _follow_ups(instance, reader) if instance.is_final else [],
    }


def _result(instance: TaskInstance, latest: Any) -> dict[str, Any]:
    if latest is None or latest.finished_at is None:
        return {}
    executions = instance.executions.filter(pk=latest.pk, scheduled_for=instance.scheduled_for)
    result = executions.values_list("result", flat=True).first()
    if result is None:
        return {}
    return {
        "result": shown_result(result),
        "result_url": reverse("admin:workers_execution_result", args=[latest.pk]),
    }


def _follow_ups(instance: TaskInstance, reader: Any) -> list[dict[str, Any]]:
    """Return the instances that repeat this one; none of them is meant for a moment before this one was made."""
    again = TaskInstance.objects.with_entry().filter(rerun_of=instance.pk, scheduled_for__gte=instance.created_at)
    return [
        {"instance": link(instance_url(each.pk), f"#{each.pk}"), "state": badge(each.state, each.state_label)}
        for each in visible_to(reader, again).defer("params").order_by("id")[:MOST_FOLLOW_UPS]
    ]


def _page_actions(instance: TaskInstance, *, stopping: bool) -> list[dict[str, Any]]:
    if not instance.is_final:
        offered = [] if stopping else [_asking(instance, "cancel", "cancel", _("Cancel"))]
        if instance.state is InstanceState.RUNNING:
            offered.append(_asking(instance, "kill", "dangerous", _("Kill")))
        return offered
    if task_of(instance) is None:
        return []
    return [{"url": _page(instance, "rerun"), "icon": "replay", "label": _("Run again"), "main": True}]


def _asking(instance: TaskInstance, verb: str, icon: str, label: str) -> dict[str, Any]:
    """Return a link to the page that asks once more."""
    return {"url": _page(instance, verb), "icon": icon, "label": label, "main": False, "link": True}


def _stopping(instance: TaskInstance) -> dict[str, Any] | None:
    """Return who asked a running instance to stop, when, and how hard; None when nobody did."""
    entry = entry_of(instance)
    if entry is None or entry.cancel_requested_at is None:
        return None
    return {
        "at": exact_moment(entry.cancel_requested_at),
        "message": retold(entry.cancel_message or ""),
        "killed": entry.kill_requested,
    }


def _page(instance: TaskInstance, verb: str) -> str:
    return reverse(f"admin:scheduling_taskinstance_{verb}", args=[instance.pk])
