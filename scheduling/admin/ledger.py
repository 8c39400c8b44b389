"""The page that shows what became of each tick of one task."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from accounts.admin.base import may_in
from accounts.admin.cells import NOTHING, Tone, absolute, badge, link
from accounts.roles import Action
from scheduling.admin.period_form import PeriodForm
from scheduling.admin.task_words import task_zone, trigger_words
from scheduling.domain.ledger import TickState
from scheduling.ledger import TICK_STATE_LABELS, Ledger, LedgerLine, read_ledger
from scheduling.models import Task, TaskInstance

#: The most ticks of one page.
PAGE_TICKS = 200

#: What the page shows unless it is asked for something else.
LOOK_BACK = timedelta(days=1)
LOOK_AHEAD = timedelta(hours=1)

_TONES = {
    TickState.RAN: Tone.GOOD,
    TickState.LATE: Tone.WARN,
    TickState.DUE: Tone.BUSY,
    TickState.UNEXPLAINED: Tone.BAD,
}


def ledger_page(model_admin: ModelAdmin, request: HttpRequest, task: Task) -> HttpResponse:
    """Show the ledger of ``task``, which the reader may see, for the period in the query string."""
    now = timezone.now().replace(microsecond=0)
    asked = {"from_at": now - LOOK_BACK, "until_at": now + LOOK_AHEAD}
    if "from_at" in request.GET or "until_at" in request.GET:
        form = PeriodForm(task, request.GET)
    else:
        form = PeriodForm(task, initial=asked)
    ledger = None
    if not form.is_bound or form.is_valid():
        asked |= form.cleaned_data if form.is_bound else {}
        start = _page_start(request) or asked["from_at"]
        try:
            ledger = read_ledger(task, from_at=start, until_at=asked["until_at"], most=PAGE_TICKS)
        except ValidationError as error:
            form.is_valid()
            for name, sentences in error.message_dict.items():
                form.add_error(f"{name}_at" if form.is_bound else None, sentences)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Ledger of %(task)s") % {"task": task},
        "subtitle": None,
        "original": task,
        "task": task,
        "task_link": link(reverse("admin:scheduling_task_change", args=[task.pk]), task.name),
        "trigger_words": trigger_words(task),
        "may_backfill": may_in(request, Action.OPERATE, task.namespace_id),
        "form": form,
        **(_shown(ledger, task, request) if ledger is not None else {}),
    }
    return TemplateResponse(request, "admin/scheduling/task/ledger.html", context)


def _page_start(request: HttpRequest) -> datetime | None:
    """Return where this page goes on; the form keeps the whole period."""
    try:
        moment = parse_datetime(request.GET.get("after", ""))
    except ValueError:
        return None
    return moment if moment is not None and moment.utcoffset() is not None else None


def _shown(ledger: Ledger, task: Task, request: HttpRequest) -> dict[str, Any]:
    zone = task_zone(task)
    following = None
    if ledger.next_from is not None:
        kept = {name: request.GET[name] for name in ("from_at", "until_at") if name in request.GET}
        following = f"?{urlencode({**kept, 'after': ledger.next_from.isoformat()})}"
    return {
        "ledger": ledger,
        "counts": [
            (_badge(state), count) for state, count in ledger.counts.items() if count and state in TICK_STATE_LABELS
        ],
        "unexplained": ledger.unexplained,
        "unexplained_words": ngettext(
            "%(n)d tick is unexplained. This is a defect; please report it.",
            "%(n)d ticks are unexplained. This is a defect; please report it.",
            ledger.unexplained,
        )
        % {"n": ledger.unexplained},
        "rows": [_row(line, zone) for line in ledger.lines],
        "following": following,
    }


def _badge(state: TickState) -> SafeString:
    tone = _TONES.get(state, Tone.CALM)
    return format_html('<span class="rota-badge rota-{}">{}</span>', tone, TICK_STATE_LABELS[state])


def _row(line: LedgerLine, zone: ZoneInfo | None) -> dict[str, Any]:
    entry = line.entry
    return {
        "at": absolute(entry.at, zone),
        "utc": entry.at.isoformat(),
        "state": _badge(entry.state),
        "instance": _instance(line.instance) if line.instance is not None else NOTHING,
        "lateness": _lateness(entry.lateness),
        "reason": entry.reason,
        "message": line.message,
        "backfilled": format_html_join(" ", "{}", ((_instance(each),) for each in line.backfilled)),
    }


def _instance(instance: TaskInstance) -> SafeString:
    url = reverse("admin:scheduling_taskinstance_change", args=[instance.pk])
    return format_html("{} {}", link(url, f"#{instance.pk}"), badge(instance.state, instance.state_label))


def _lateness(lateness: timedelta | None) -> str:
    if lateness is None:
        return NOTHING
    if lateness < timedelta(seconds=10):
        return _("%(n)d ms") % {"n": lateness.total_seconds() * 1000}
    return str(timedelta(seconds=round(lateness.total_seconds())))
