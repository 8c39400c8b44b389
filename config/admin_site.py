"""What the admin's first page and its side bar show."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.permissions import visible_to
from config.dashboard.views import dashboard_context
from scheduling.domain.states import EntryState
from scheduling.models import QueueEntry

#: Counting stops here: whoever has more knows enough.
ENOUGH = 1000


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the first page whether all is well, what happened, and what comes next."""
    return context | {"title": _("Overview")} | dashboard_context(request)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the side bar's groups. What runs now is counted by the index of leases."""
    running = _count(visible_to(request.user, QueueEntry.objects.filter(state=EntryState.RUNNING.value)))
    badge_of_running = {"badge": running, "badge_variant": "info"} if running != "0" else {}
    return [
        {
            "items": [
                {"title": _("Overview"), "icon": "space_dashboard", "link": reverse("admin:index")},
                {"title": _("Fleet calendar"), "icon": "calendar_view_week", "link": reverse("admin_fleet_calendar")},
            ]
        },
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
