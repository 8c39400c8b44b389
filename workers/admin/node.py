"""Nodes: which workers there are, how they are, and what they may run."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import LedgerAdmin, may_somewhere
from accounts.admin.cells import badge, exact_moment, link, moment
from accounts.roles import Action
from workers.domain.states import NodeHealth
from workers.models import Node

HEALTH_WORDS = {
    NodeHealth.ONLINE: gettext_lazy("online"),
    NodeHealth.DRAINING: gettext_lazy("draining"),
    NodeHealth.STOPPED: gettext_lazy("stopped"),
    NodeHealth.LOST: gettext_lazy("lost"),
}


@admin.register(Node)
class NodeAdmin(LedgerAdmin):
    """The nodes. They belong to no namespace: whoever sees tasks may see where they run."""

    list_display = ("name", "health", "heartbeat", "busy_slots", "queues_shown", "handlers_shown", "host", "version")
    ordering = ("name",)
    search_fields = ("name", "host")
    search_help_text = gettext_lazy("Search by name or host")
    empty_hint = gettext_lazy("Nodes appear here when a worker starts: manage.py runworker")
    actions = None
    fields = (
        "name",
        "health",
        "last_seen_exact",
        "started_exact",
        "host",
        "pid",
        "version",
        "busy_slots",
        "queues_shown",
        "handlers_shown",
        "known_handlers_shown",
        "executions",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """Return all nodes."""
        return Node.objects.all()

    def get_readonly_fields(self, request: HttpRequest, obj: Node | None = None) -> tuple[str, ...]:
        """Everything on the page."""
        return self.fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees at least one namespace."""
        return may_somewhere(request, Action.VIEW) or super().has_view_permission(request)

    @admin.display(description=gettext_lazy("health"))
    def health(self, node: Node) -> SafeString:
        """The worker's own word, or "lost" when it went silent."""
        health = node.health(timezone.now())
        return badge(health, HEALTH_WORDS[health])

    @admin.display(description=gettext_lazy("last heartbeat"))
    def heartbeat(self, node: Node) -> SafeString:
        """When it was last heard of."""
        return moment(node.last_seen_at)

    @admin.display(description=gettext_lazy("last heartbeat"))
    def last_seen_exact(self, node: Node) -> SafeString:
        """When it was last heard of, in full."""
        return exact_moment(node.last_seen_at)

    @admin.display(description=gettext_lazy("started"))
    def started_exact(self, node: Node) -> SafeString:
        """When this worker started, in full."""
        return exact_moment(node.started_at)

    @admin.display(description=gettext_lazy("busy"))
    def busy_slots(self, node: Node) -> SafeString:
        """How many of its slots are busy, as numbers and as a bar."""
        words = _("%(busy)d of %(slots)d") % {"busy": node.busy, "slots": node.slots}
        return format_html(
            '<span class="rota-slots"><meter min="0" max="{}" value="{}" aria-hidden="true"></meter> {}</span>',
            max(node.slots, 1),
            min(node.busy, node.slots),
            words,
        )

    @admin.display(description=gettext_lazy("queues"))
    def queues_shown(self, node: Node) -> SafeString:
        """The queues that it serves."""
        return _words(node.queues)

    @admin.display(description=gettext_lazy("handlers"))
    def handlers_shown(self, node: Node) -> SafeString:
        """The handlers that it may run."""
        return _words(node.handlers)

    @admin.display(description=gettext_lazy("installed handlers"))
    def known_handlers_shown(self, node: Node) -> SafeString:
        """The handlers that are installed there, whether or not it may run them."""
        return _words(node.known_handlers)

    @admin.display(description=gettext_lazy("executions"))
    def executions(self, node: Node) -> SafeString:
        """A link to what it ran."""
        url = f"{reverse('admin:workers_execution_changelist')}?node={node.pk}"
        return link(url, _("What it ran"))


def _words(words: list[str]) -> SafeString:
    return format_html_join(" ", '<span class="rota-word">{}</span>', ((word,) for word in words))
