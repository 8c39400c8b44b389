"""Schedulers: which there are, whether they live, and how late they fire."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.asked_at import asked_at, with_asked_at
from accounts.admin.base import LedgerAdmin, may_somewhere
from accounts.admin.cells import badge, exact_moment, moment
from accounts.roles import Action
from scheduling.models import Scheduler
from scheduling.models.scheduler import SCHEDULER_HEALTH_LABELS


@admin.register(Scheduler)
class SchedulerAdmin(LedgerAdmin):
    """The schedulers. They belong to no namespace: whoever sees tasks may see what fires them."""

    list_display = ("name", "health", "heartbeat", "lag", "fired", "started", "version")
    search_fields = ("name",)
    search_help_text = gettext_lazy("Search by name")
    empty_hint = gettext_lazy("Schedulers appear here when one starts: manage.py runscheduler")
    actions = None
    fields = (
        "name",
        "health",
        "last_seen_exact",
        "started_exact",
        "stopped_exact",
        "lag",
        "done",
        "host",
        "pid",
        "version",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Scheduler]:
        """Return all schedulers."""
        return with_asked_at(Scheduler.objects.all())

    def get_readonly_fields(self, request: HttpRequest, obj: Scheduler | None = None) -> tuple[str, ...]:
        """Everything on the page."""
        return self.fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees at least one namespace."""
        return may_somewhere(request, Action.VIEW) or super().has_view_permission(request)

    @admin.display(description=gettext_lazy("health"))
    def health(self, scheduler: Scheduler) -> SafeString:
        """Its own word, or "lost" when it went silent."""
        health = scheduler.health(asked_at(scheduler))
        return badge(health, SCHEDULER_HEALTH_LABELS[health])

    @admin.display(description=gettext_lazy("last heartbeat"))
    def heartbeat(self, scheduler: Scheduler) -> SafeString:
        """When it was last heard of."""
        return moment(scheduler.last_seen_at)

    @admin.display(description=gettext_lazy("last heartbeat"))
    def last_seen_exact(self, scheduler: Scheduler) -> SafeString:
        """When it was last heard of, in full."""
        return exact_moment(scheduler.last_seen_at)

    @admin.display(description=gettext_lazy("started"))
    def started(self, scheduler: Scheduler) -> SafeString:
        """When it started."""
        return moment(scheduler.started_at)

    @admin.display(description=gettext_lazy("started"))
    def started_exact(self, scheduler: Scheduler) -> SafeString:
        """When it started, in full."""
        return exact_moment(scheduler.started_at)

    @admin.display(description=gettext_lazy("stopped"))
    def stopped_exact(self, scheduler: Scheduler) -> SafeString:
        """When it stopped in order, in full."""
        return exact_moment(scheduler.stopped_at)

    @admin.display(description=gettext_lazy("lag"))
    def lag(self, scheduler: Scheduler) -> str:
        """How late it fired lately, at the worst."""
        if scheduler.lag_seconds < 1:
            return _("%(n)d ms") % {"n": scheduler.lag_seconds * 1000}
        return _("%(n).1f s") % {"n": scheduler.lag_seconds}

    @admin.display(description=gettext_lazy("fired"))
    def fired(self, scheduler: Scheduler) -> int:
        """How many instances it has fired since it started."""
        return int(scheduler.counts.get("fired", 0))

    @admin.display(description=gettext_lazy("has done"))
    def done(self, scheduler: Scheduler) -> SafeString:
        """What it has done since it started."""
        counts = ((name, count) for name, count in sorted(scheduler.counts.items()) if count)
        return format_html_join(" ", '<span class="rota-word">{} {}</span>', counts)
