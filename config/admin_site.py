"""What the admin's first page and its side bar show: a few numbers, each from a small table or index."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.admin.cells import badge, link, moment
from accounts.permissions import permitted_namespaces, visible_to
from accounts.roles import Action
from scheduling.admin.ledger_row import ledger_row, prepare_ledger_rows
from scheduling.domain.states import EntryState
from scheduling.models import QueueEntry, Task, TaskInstance
from workers.domain.states import NodeHealth
from workers.models import Node

#: Counting stops here: whoever has more knows enough.
ENOUGH = 1000

#: So many failures are named.
NAMED_FAILURES = 8


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the first page what there is, what runs, and what failed in the last hour."""
    now = timezone.now()
    live = visible_to(request.user, QueueEntry.objects.all())
    failed = TaskInstance.objects.visible_to(request.user).filter(failed_at__gte=now - timedelta(hours=1))
    latest = list(failed.defer("params").order_by("-failed_at")[:NAMED_FAILURES])
    prepare_ledger_rows(latest)
    nodes = [node.health(now) for node in Node.objects.all()]
    instances = reverse("admin:scheduling_taskinstance_changelist")
    return context | {
        "title": _("Overview"),
        "no_namespace": not permitted_namespaces(request.user).exists(),
        "may_add_task": permitted_namespaces(request.user, Action.ADMINISTER).exists(),
        "task_count": _count(Task.objects.visible_to(request.user)),
        "running_count": _count(live.filter(state=EntryState.RUNNING.value)),
        "queued_count": _count(live.filter(state=EntryState.READY.value)),
        "failed_count": _count(failed),
        "running_url": f"{instances}?state=running",
        "queued_url": f"{instances}?state=ready",
        "failed_url": f"{instances}?state=failed&range=1h",
        "online_count": sum(health in {NodeHealth.ONLINE, NodeHealth.DRAINING} for health in nodes),
        "lost_count": nodes.count(NodeHealth.LOST),
        "failures": [
            {
                "instance": link(reverse("admin:scheduling_taskinstance_change", args=[each.pk]), f"#{each.pk}"),
                "task": ledger_row(each).task_link(),
                "state": badge(each.state, each.state_label),
                "at": moment(each.failed_at),
                "message": each.message,
            }
            for each in latest
        ],
    }


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the side bar's groups. What runs now is counted by the index of leases."""
    running = _count(visible_to(request.user, QueueEntry.objects.filter(state=EntryState.RUNNING.value)))
    badge_of_running = {"badge": running, "badge_variant": "info"} if running != "0" else {}
    return [
        {"items": [{"title": _("Overview"), "icon": "space_dashboard", "link": reverse("admin:index")}]},
        {
            "title": _("Work"),
            "items": [
                _page(_("Tasks"), "event_repeat", "scheduling_task"),
                _page(_("Calendars"), "calendar_month", "scheduling_calendar"),
                _page(_("Pools"), "inventory_2", "scheduling_pool"),
                _page(_("Instances"), "list_alt", "scheduling_taskinstance", **badge_of_running),
                _page(_("Executions"), "play_circle", "workers_execution"),
                _page(_("Backfills"), "history", "scheduling_backfill"),
            ],
        },
        {
            "title": _("Where it runs"),
            "items": [
                _page(_("Nodes"), "dns", "workers_node"),
                _page(_("Schedulers"), "schedule", "scheduling_scheduler"),
                _page(_("Connections"), "database", "workers_connection"),
            ],
        },
        {
            "title": _("Who may"),
            "items": [
                _page(_("Namespaces"), "workspaces", "accounts_namespace"),
                _page(_("Users"), "group", "accounts_user", permission=_is_superuser),
            ],
        },
    ]


def _page(title: str, icon: str, model: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(f"admin:{model}_changelist"), **more}


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _count(rows: Any) -> str:
    found = rows.order_by()[: ENOUGH + 1].count()
    return str(found) if found <= ENOUGH else f"{ENOUGH}+"
