"""Draining nodes from a page: asks once more, says what happens, and lets the service decide who may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin.base import actor_of
from scheduling.admin.report import Report
from workers.conf import conf
from workers.domain.states import NodeHealth
from workers.models import Node
from workers.services import UnknownNode, drain_node, resume_node


class DrainForm(forms.Form):
    """Why the nodes are drained."""

    reason = forms.CharField(
        label=gettext_lazy("reason"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("For whoever looks at the node meanwhile."),
    )


def drain(request: HttpRequest, nodes: Iterable[Node], reason: str) -> None:
    """Drain each node, and tell which were and which were not."""
    report = Report()
    for node in nodes:
        try:
            drain_node(node.name, actor=actor_of(request), reason=reason)
        except (PermissionDenied, UnknownNode) as error:
            report.refuse(node, str(error))
        else:
            report.done += 1
    report.show(
        request,
        ngettext(
            "%(n)d node takes nothing more until it is resumed.",
            "%(n)d nodes take nothing more until they are resumed.",
            report.done,
        )
        % {"n": report.done},
    )


def resume(request: HttpRequest, nodes: Iterable[Node]) -> None:
    """Let each node go on, and tell which did."""
    report = Report()
    for node in nodes:
        try:
            if resume_node(node.name, actor=actor_of(request)):
                report.done += 1
            else:
                report.refuse(node, _("is not held"))
        except (PermissionDenied, UnknownNode) as error:
            report.refuse(node, str(error))
    report.show(request, ngettext("%(n)d node goes on.", "%(n)d nodes go on.", report.done) % {"n": report.done})


def what_happens(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    """Return, for the page that asks once more, each node with what draining means for it."""
    now = timezone.now()
    rows = []
    for node in nodes:
        health = node.health(now)
        if health in {NodeHealth.STOPPED, NodeHealth.LOST}:
            effect = _("No worker is alive there. One that is started waits until the node is resumed.")
        elif node.busy:
            running = ngettext("%(n)d execution runs", "%(n)d executions run", node.busy) % {"n": node.busy}
            effect = _(
                "%(running)s there. What has not finished after %(seconds)d s is stopped and runs again elsewhere, or "
                "fails where its task says so. Then its worker ends."
            ) % {"running": running, "seconds": conf().drain_seconds}
        else:
            effect = _("Nothing runs there now. Its worker ends.")
        rows.append({"node": node, "effect": effect})
    return rows
