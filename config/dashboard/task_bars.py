"""Tables of tasks with a bar in each line: which fail most, which take longest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.admin.cells import length, link
from config.dashboard.scale import unit
from scheduling.admin.ratio import percent
from scheduling.statistics import TaskFigures


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskLine:
    """One task. Widths are of 100."""

    task: SafeString
    namespace: str
    failed: int
    decided: int
    ratio: str
    failed_width: str
    mean: str
    p95: str
    mean_width: str
    p95_width: str


def task_lines(found: Iterable[TaskFigures]) -> Sequence[TaskLine]:
    """Return the lines; bars of time are as long as their share of the longest p95 among them."""
    lines = list(found)
    longest = max((each.counts.p95_seconds or 0 for each in lines), default=0) or 1
    return [_line(each, longest) for each in lines]


def task_link(task_id: int, name: str, *, exists: bool) -> SafeString:
    """Return a link to a task, or the last name of a deleted one."""
    if exists:
        return link(reverse("admin:scheduling_task_change", args=[task_id]), name)
    words = _("%(name)s (deleted)") if name else _("deleted task #%(id)s")
    return format_html('<span class="rota-subtle">{}</span>', words % {"name": name, "id": task_id})


def _line(each: TaskFigures, longest: float) -> TaskLine:
    counts = each.counts
    decided = counts.succeeded + counts.failed
    return TaskLine(
        task=task_link(each.task_id, each.name, exists=not each.deleted),
        namespace=each.namespace,
        failed=counts.failed,
        decided=decided,
        ratio=percent(counts.success_ratio),
        failed_width=unit(100 * counts.failed / decided if decided else 0),
        mean=length(counts.mean_seconds),
        p95=length(counts.p95_seconds),
        mean_width=unit(min(100, 100 * (counts.mean_seconds or 0) / longest)),
        p95_width=unit(min(100, 100 * (counts.p95_seconds or 0) / longest)),
    )
