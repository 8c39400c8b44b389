"""What the page shows, read in one go; the same whether the page is opened or brings itself up to date."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.admin.cells import badge, link, moment
from accounts.models import User
from accounts.permissions import permitted_ids
from accounts.roles import Action
from config.dashboard.outcome_chart import outcome_chart
from config.dashboard.steps import first_steps
from config.dashboard.strip import health_strip
from config.dashboard.task_bars import task_lines, task_link
from config.dashboard.timeline import MOST_FIRES, timeline
from scheduling.domain.spans import Span
from scheduling.models import StatHour, Task
from scheduling.statistics import (
    Failure,
    Scope,
    TaskFigures,
    TaskOrder,
    latest_failures,
    outcomes_over_time,
    queue_health,
    schedulers_health,
    scope_of,
    task_figures,
    upcoming_fires,
)
from workers.statistics import nodes_health

#: So many failures, and so many tasks of each table, are named.
NAMED_FAILURES, NAMED_TASKS = 8, 6


def read_parts(user: User, span: Span, *, everything: bool = True) -> dict[str, Any]:
    """Return what the templates of the parts need, within what ``user`` may see.

    Without ``everything`` only what changes from one second to the next is read: the strip and the failures.
    """
    scope = scope_of(user)
    if scope.namespace_ids == ():
        return {"no_namespace": True}
    queue = queue_health(scope)
    now = queue.measured_at
    schedulers, nodes = schedulers_health(now), nodes_health(now)
    vitals = health_strip(queue, schedulers, nodes)
    context = {
        "vitals": vitals,
        "wrong": [vital for vital in vitals if vital.advice and not vital.is_well],
        "measured_at": date_format(timezone.localtime(now), "H:i:s"),
        "failures": [_failure(each, now) for each in latest_failures(scope, now=now, limit=NAMED_FAILURES)],
        "failures_url": f"{reverse('admin:scheduling_taskinstance_changelist')}?state=failed&range=30d",
        "everything": everything,
    }
    if everything:
        context |= _charts(scope, span, now)
    # What the chart shows need not be looked for.
    context["is_fresh"] = not context.get("ended") and not _has_history(scope)
    if context["is_fresh"]:
        may_add = bool(permitted_ids(user, Action.ADMINISTER))
        has_task = Task.objects.visible_to(user).exists()
        context["steps"] = first_steps(schedulers, nodes, has_task=has_task, may_add_task=may_add)
    return context


def _charts(scope: Scope, span: Span, now: datetime) -> dict[str, Any]:
    zone = timezone.get_current_timezone()
    series = outcomes_over_time(scope, span=span, zone=zone, now=now)
    return {
        "span": span,
        "spans": [(each.value, word) for each, word in _span_words().items()],
        "chart": outcome_chart(series),
        "ended": series.total.total,
        # Both are counted together: where nothing has ended, no task has.
        **(_task_tables(scope, span, now) if series.total.total else {"failing": (), "slowest": ()}),
        "timeline": timeline(upcoming_fires(scope, now=now, limit=MOST_FIRES), now),
    }


def _task_tables(scope: Scope, span: Span, now: datetime) -> dict[str, Any]:
    """Return both tables. They cost in proportion to the number of tasks, which may be too much for the range."""
    zone = timezone.get_current_timezone()

    def figures(order: TaskOrder) -> list[TaskFigures]:
        return task_figures(scope, span=span, zone=zone, now=now, order=order, limit=NAMED_TASKS)

    try:
        # Within a savepoint, so that the rest of the page is not lost with them.
        with transaction.atomic():
            return {order.value: task_lines(figures(order)) for order in (TaskOrder.FAILING, TaskOrder.SLOWEST)}
    except psycopg.errors.QueryCanceled:
        return {"too_many_tasks": True}


def _span_words() -> dict[Span, str]:
    return {Span.DAY: _("24 hours"), Span.WEEK: _("7 days"), Span.MONTH: _("30 days")}


def _has_history(scope: Scope) -> bool:
    # Task 0 stands for all tasks of a namespace together.
    return scope.narrow(StatHour.objects.filter(task_id=0)).exists()


def _failure(each: Failure, now: datetime) -> dict[str, Any]:
    instance = each.instance
    return {
        "task": task_link(instance.task_id, each.task_name, exists=each.task_exists),
        "instance": link(reverse("admin:scheduling_taskinstance_change", args=[instance.pk]), f"#{instance.pk}"),
        "state": badge(instance.state, instance.state_label),
        "at": moment(instance.failed_at, now=now),
        "message": instance.full_message,
    }
