"""Nodes: which workers there are, how they are, and what they may run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.admin.asked_at import asked_at, with_asked_at
from accounts.admin.base import LedgerAdmin, actor_of, may_somewhere
from accounts.admin.cells import absolute, badge, exact_moment, link, moment
from accounts.admin.csv_export import Columns
from accounts.roles import Action
from accounts.whole_numbers import BIGGEST_INTEGER, whole_number
from workers.admin import node_drain
from workers.admin.filters import NodeHealthFilter, NodeQueueFilter
from workers.admin.node_page import (
    HEALTH_WORDS,
    day_of,
    day_strip,
    history_words,
    machine_words,
    prepare_days,
    running_on,
    summary,
)
from workers.models import Node
from workers.services import may_drain

_MAY_DRAIN = "_rota_may_drain"


@admin.register(Node)
class NodeAdmin(LedgerAdmin):
    """The nodes. They belong to no namespace: whoever sees tasks may see where they run."""

    list_display = (
        "name",
        "health",
        "heartbeat",
        "busy_slots",
        "machine_shown",
        "day",
        "queues_shown",
        "handlers_shown",
        "version",
    )
    ordering = ("name",)
    search_fields = ("name", "host")
    search_help_text = gettext_lazy("Search by name or host")
    empty_hint = gettext_lazy("Nodes appear here when a worker starts: manage.py runworker")
    actions = ("drain_chosen", "resume_chosen")
    live_list = True
    list_filter = (NodeHealthFilter, NodeQueueFilter)
    change_form_template = "admin/workers/node/change_form.html"
    fields = (
        "name",
        "last_seen_exact",
        "started_exact",
        "host",
        "pid",
        "version",
        "queues_shown",
        "handlers_shown",
        "known_handlers_shown",
        "executions",
    )

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Node]) -> None:
        """Find the last day of the page's nodes."""
        prepare_days(rows)

    def csv_columns(self) -> Columns:
        """Return what a row of the exported list holds."""
        return {
            "node": lambda each: each.name,
            "health": lambda each: each.health(asked_at(each)).value,
            "host": lambda each: each.host,
            "version": lambda each: each.version,
            "slots": lambda each: each.slots,
            "busy": lambda each: each.busy,
            "load": lambda each: each.machine.get("load"),
            "memory_free_bytes": lambda each: each.machine.get("memory_free_bytes"),
            "queues": lambda each: " ".join(each.queues),
            "handlers": lambda each: " ".join(each.handlers),
            "started_at": lambda each: each.started_at,
            "last_seen_at": lambda each: each.last_seen_at,
            "held_at": lambda each: each.held_at,
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """Return all nodes."""
        return with_asked_at(Node.objects.all())

    def get_readonly_fields(self, request: HttpRequest, obj: Node | None = None) -> tuple[str, ...]:
        """Everything on the page."""
        return self.fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees at least one namespace."""
        return may_somewhere(request, Action.VIEW) or super().has_view_permission(request)

    @admin.display(description=gettext_lazy("health"))
    def health(self, node: Node) -> SafeString:
        """The worker's own word, or "lost" when it went silent; and whether somebody holds the node."""
        health = node.health(asked_at(node))
        shown = badge(health, HEALTH_WORDS[health])
        if node.held_at is None:
            return shown
        return format_html("{} {}", shown, badge("paused", _("held"), title=_held_words(node)))

    def has_drain_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may operate in every namespace."""
        # Asked once for each action and each button of a page.
        if _MAY_DRAIN not in request.__dict__:
            request.__dict__[_MAY_DRAIN] = may_drain(actor_of(request))
        allowed: bool = request.__dict__[_MAY_DRAIN]
        return allowed

    @admin.action(description=gettext_lazy("Drain …"), permissions=["drain"])
    def drain_chosen(self, request: HttpRequest, queryset: QuerySet[Node]) -> HttpResponse:
        """Ask once more."""
        chosen = QueryDict(mutable=True)
        chosen.setlist("node", [str(pk) for pk in queryset.values_list("pk", flat=True)])
        return HttpResponseRedirect(f"{reverse('admin:workers_node_drain')}?{chosen.urlencode()}")

    @admin.action(description=gettext_lazy("Resume"), permissions=["drain"])
    def resume_chosen(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        """Let the chosen nodes go on."""
        node_drain.resume(request, queryset)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks once more before draining, and the button that resumes."""
        asks = path("drain/", self.admin_site.admin_view(self._drain), name="workers_node_drain")
        live = self.page_urls(("live", self._live))
        return [asks, *live, *self.post_urls(("resume", self._resume)), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the node, and what can be done with it."""
        node = self.get_object(request, object_id)
        context = {**(extra_context or {})}
        if node is not None:
            context |= {**self._facts(request, node), "live_url": reverse("admin:workers_node_live", args=[node.pk])}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def _facts(self, request: HttpRequest, node: Node) -> dict[str, Any]:
        allowed = self.has_drain_permission(request)
        resume = {
            "url": reverse("admin:workers_node_resume", args=[node.pk]),
            "icon": "play_arrow",
            "label": _("Resume"),
            "main": True,
        }
        return {
            "original": node,
            "state_badge": self.health(node),
            "heartbeat": moment(node.last_seen_at),
            "busy_slots": self.busy_slots(node),
            "machine": machine_words(node),
            "day": day_strip(node),
            "day_summary": summary(day_of(node)),
            "history": history_words(node),
            **running_on(node, request.user),
            "held": _held_words(node) if node.held_at is not None else "",
            "may_drain": allowed,
            "page_actions": [resume] if allowed and node.held_at is not None else [],
        }

    def _live(self, request: HttpRequest, node: Node) -> HttpResponse:
        return TemplateResponse(request, "admin/workers/node/live.html", self._facts(request, node))

    def _drain(self, request: HttpRequest) -> HttpResponse:
        if not self.has_drain_permission(request):
            raise PermissionDenied
        asked = request.POST if request.method == "POST" else request.GET
        ids = [whole_number(text, most=BIGGEST_INTEGER) for text in asked.getlist("node")]
        nodes = list(Node.objects.filter(pk__in=[number for number in ids if number is not None]))
        if not nodes:
            messages.error(request, _("Choose at least one node."))
            return self.back(request)
        form = node_drain.DrainForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            node_drain.drain(request, nodes, form.cleaned_data["reason"])
            return HttpResponseRedirect(reverse("admin:workers_node_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": ngettext("Drain this node?", "Drain these %(n)d nodes?", len(nodes)) % {"n": len(nodes)},
            "subtitle": None,
            "rows": node_drain.what_happens(nodes),
            "form": form,
        }
        return TemplateResponse(request, "admin/workers/node/drain.html", context)

    def _resume(self, request: HttpRequest, node: Node) -> HttpResponse:
        node_drain.resume(request, [node])
        return self.back(request, node)

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

    @admin.display(description=gettext_lazy("machine"))
    def machine_shown(self, node: Node) -> SafeString:
        """Load and memory."""
        return machine_words(node)

    @admin.display(description=gettext_lazy("last 24 hours"))
    def day(self, node: Node) -> SafeString:
        """The last day as a strip."""
        return day_strip(node)

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


def _held_words(node: Node) -> str:
    """Return since when, by whom and why a held node takes nothing."""
    assert node.held_at is not None  # noqa: S101 - the callers have just looked
    words = _("Held since %(since)s by %(who)s: it takes nothing until it is resumed.") % {
        "since": absolute(node.held_at),
        "who": node.held_by,
    }
    return f"{words} {node.held_reason}".rstrip()


def _words(words: list[str]) -> SafeString:
    return format_html_join(" ", '<span class="rota-word">{}</span>', ((word,) for word in words))
