"""What a node's page and its row in the list say of now and of the last day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.admin.asked_at import asked_at
from accounts.admin.cells import NOTHING, badge, duration, link, moment
from accounts.permissions import visible_to
from scheduling.domain.states import EntryState
from scheduling.models import QueueEntry, Task
from workers.domain.node_history import Stretch
from workers.domain.states import NodeHealth
from workers.models import Node
from workers.node_history import DAY, node_days

HEALTH_WORDS = {
    NodeHealth.ONLINE: gettext_lazy("online"),
    NodeHealth.DRAINING: gettext_lazy("draining"),
    NodeHealth.STOPPED: gettext_lazy("stopped"),
    NodeHealth.LOST: gettext_lazy("lost"),
}

#: A page names so many executions.
MOST_RUNNING = 100

#: The width of a day's strip, in units of its own: minutes.
STRIP_WIDTH = 1440

_DAY = "_rota_node_day"


def prepare_days(nodes: Sequence[Node]) -> None:
    """Find the last day of all nodes of a page, with one query."""
    days = node_days(nodes, asked_at(nodes[0])) if nodes else {}
    for node in nodes:
        node.__dict__[_DAY] = days[node.pk]


def day_of(node: Node) -> list[Stretch]:
    """Return the node's last day, looked up now unless `prepare_days` did."""
    if _DAY not in node.__dict__:
        prepare_days([node])
    found: list[Stretch] = node.__dict__[_DAY]
    return found


def day_strip(node: Node) -> SafeString:
    """Return the last day as a bar, oldest on the left, and in words for who cannot see it."""
    day = day_of(node)
    if not day:
        return format_html("{}", NOTHING)
    since = day[-1].ends_at - DAY
    pieces = format_html_join(
        "",
        '<rect class="rota-node-{}" x="{}" width="{}" height="16"><title>{}</title></rect>',
        (
            (
                stretch.health.value if stretch.health else "none",
                _minutes(stretch.begins_at - since),
                max(_minutes(stretch.length), 3),
                _words(stretch),
            )
            for stretch in day
        ),
    )
    return format_html(
        '<span class="rota-day-strip"><svg viewBox="0 0 {} 16" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
        '<span class="rota-unseen">{}</span></span>',
        STRIP_WIDTH,
        pieces,
        summary(day),
    )


def summary(day: Sequence[Stretch]) -> str:
    """Return how long the node was in each state, as one line."""
    totals: dict[NodeHealth, timedelta] = {}
    for stretch in day:
        if stretch.health is not None:
            totals[stretch.health] = totals.get(stretch.health, timedelta(0)) + stretch.length
    return _(", ").join(f"{HEALTH_WORDS[health]} {_length(length)}" for health, length in totals.items())


def machine_words(node: Node) -> SafeString:
    """Return load and memory as of the last heartbeat; a dash where a node tells neither."""
    parts = []
    load, cpus = node.machine.get("load"), node.machine.get("cpus")
    if isinstance(load, int | float):
        cores = ngettext("%(n)d CPU", "%(n)d CPUs", int(cpus or 1)) % {"n": int(cpus or 1)}
        parts.append(_("load %(load).1f, %(cpus)s") % {"load": load, "cpus": cores})
    total, free = node.machine.get("memory_bytes"), node.machine.get("memory_free_bytes")
    if isinstance(total, int | float) and isinstance(free, int | float):
        sizes = {"free": filesizeformat(int(free)), "total": filesizeformat(int(total))}
        parts.append(_("%(free)s of %(total)s free") % sizes)
    if not parts:
        return format_html("{}", NOTHING)
    lines = format_html_join(" ", "<span>{}</span>", ((part,) for part in parts))
    return format_html('<span class="rota-machine">{}</span>', lines)


def running_on(node: Node, reader: Any) -> dict[str, Any]:
    """Return what runs on ``node`` now, as far as ``reader`` may see it, and how much more there is."""
    held = QueueEntry.objects.filter(holder=node.incarnation, state=EntryState.RUNNING.value)
    found = list(visible_to(reader, held).order_by("claimed_at", "pk")[:MOST_RUNNING])
    names = dict(Task.objects.filter(pk__in={entry.task_id for entry in found}).values_list("pk", "name"))
    now = timezone.now()
    more = held.count() - len(found)
    return {
        "running": [
            {
                "instance": link(reverse("admin:scheduling_taskinstance_change", args=[entry.pk]), f"#{entry.pk}"),
                "task": names.get(entry.task_id, f"#{entry.task_id}"),
                "since": moment(entry.claimed_at),
                "runs": duration(entry.claimed_at, now),
                "queue": entry.queue,
                "handler": entry.handler,
                "log": link(reverse("admin:workers_execution_log", args=[entry.lease_id]), _("Log")),
            }
            for entry in found
        ],
        "running_more": ngettext(
            "%(n)d more that you may not see, or that is not shown.",
            "%(n)d more that you may not see, or that are not shown.",
            more,
        )
        % {"n": more}
        if more > 0
        else "",
    }


def history_words(node: Node) -> list[dict[str, Any]]:
    """Return the stretches of the last day, newest first, in words."""
    return [
        {"badge": badge(stretch.health, HEALTH_WORDS[stretch.health]), "words": _words(stretch)}
        for stretch in reversed(day_of(node))
        if stretch.health is not None
    ]


def _minutes(length: timedelta) -> int:
    return round(length.total_seconds() / 60)


def _length(length: timedelta) -> str:
    now = timezone.now()
    return duration(now, now + length)


def _words(stretch: Stretch) -> str:
    word = HEALTH_WORDS[stretch.health] if stretch.health else _("unknown")
    return _("%(state)s from %(begin)s to %(end)s (%(length)s)") % {
        "state": word,
        "begin": _clock(stretch.begins_at),
        "end": _clock(stretch.ends_at),
        "length": _length(stretch.length),
    }


def _clock(at: datetime) -> str:
    return f"{timezone.localtime(at):%m-%d %H:%M}"
