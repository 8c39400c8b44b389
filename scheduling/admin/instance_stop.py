"""Before instances are cancelled or killed: which way each would go, and room for a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from accounts.admin.cells import badge, link
from scheduling.admin.ledger_row import ledger_row, prepare_ledger_rows
from scheduling.admin.task_actions import instance_url
from scheduling.domain.states import InstanceState
from scheduling.models import TaskInstance

#: The field of the button that says "yes".
CONFIRMED = "confirmed"

#: A longer reason is cut.
LONGEST_COMMENT = 1000

#: So many instances are named.
NAMED = 20


def comment_of(request: HttpRequest) -> str:
    """Return the reason that was given, in one line at most so long as is kept."""
    return " ".join(request.POST.get("comment", "").replace("\0", " ").split())[:LONGEST_COMMENT]


def confirmation(
    model_admin: ModelAdmin, request: HttpRequest, instances: Sequence[TaskInstance], *, action: str, kill: bool
) -> HttpResponse:
    """Ask before ``instances`` are stopped; ``action`` is the list's action, or empty for one instance's own page."""
    states = Counter(instance.state for instance in instances)
    running = states[InstanceState.RUNNING]
    unstarted = states[InstanceState.WAITING] + states[InstanceState.READY]
    ended = len(instances) - running - unstarted
    shown = list(instances[:NAMED])
    prepare_ledger_rows(shown)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _title(instances, kill=kill),
        "subtitle": None,
        "kill": kill,
        "running": running,
        "unstarted": unstarted,
        "sentences": _sentences(unstarted, running, ended, kill=kill),
        "rows": [
            {
                "instance": link(instance_url(each.pk), f"#{each.pk}"),
                "task": ledger_row(each).task_link(),
                "state": badge(each.state.value, each.state_label),
            }
            for each in shown
        ],
        "more": len(instances) - len(shown),
        "action": action,
        "chosen": [each.pk for each in instances] if action else [],
        "checkbox": ACTION_CHECKBOX_NAME,
        "confirmed": CONFIRMED,
        "longest": LONGEST_COMMENT,
        "label": _("Kill") if kill else _("Cancel"),
        "back": instance_url(instances[0].pk) if not action else request.get_full_path(),
    }
    return TemplateResponse(request, "admin/scheduling/taskinstance/stop.html", context)


def _title(instances: Sequence[TaskInstance], *, kill: bool) -> str:
    if len(instances) == 1:
        return (_("Kill instance %(number)s") if kill else _("Cancel instance %(number)s")) % {"number": instances[0]}
    return (_("Kill %(n)d instances") if kill else _("Cancel %(n)d instances")) % {"n": len(instances)}


def _sentences(unstarted: int, running: int, ended: int, *, kill: bool) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if unstarted:
        said = ngettext(
            "%(n)d has not started: it ends at once and never runs.",
            "%(n)d have not started: they end at once and never run.",
            unstarted,
        )
        parts.append({"icon": "event_busy", "text": said % {"n": unstarted}})
    if running:
        said = (
            ngettext(
                "%(n)d runs: its work is ended without any grace, whatever it is doing.",
                "%(n)d run: their work is ended without any grace, whatever it is doing.",
                running,
            )
            if kill
            else ngettext(
                "%(n)d runs: it is asked to stop, and killed when its task's grace is over.",
                "%(n)d run: they are asked to stop, and killed when the grace of their task is over.",
                running,
            )
        )
        parts.append({"icon": "dangerous" if kill else "stop_circle", "text": said % {"n": running}})
    if ended:
        said = ngettext(
            "%(n)d has ended already and stays as it is.", "%(n)d have ended already and stay as they are.", ended
        )
        parts.append({"icon": "check", "text": said % {"n": ended}})
    return parts
