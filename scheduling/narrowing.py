"""How the history is narrowed to the instances or executions of some tasks, few or many."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.lookups import IsNull

from scheduling.db import callers_connection
from scheduling.models import Task

Q = TypeVar("Q", bound=QuerySet[Any])

#: So many tasks are named one by one, and each is looked up in its index. Of more, one row in some is theirs, and the
#: newest rows are looked at until a page is full.
FEW_TASKS = 500

#: Ids may repeat, once for each version of a task; more rows than this are not looked at.
MOST_REPEATED = 4 * FEW_TASKS

#: So many tasks are named where that is all there is to say about a row.
MOST_NAMED = 5000

# A skip from each queue to the next one; DISTINCT would read every task.
_CHOICES = """
WITH RECURSIVE known AS (
    (SELECT queue FROM rota_task WHERE %(all)s OR namespace_id = ANY(%(namespaces)s::bigint[]) ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT t.queue FROM rota_task t
            WHERE t.queue > k.queue AND (%(all)s OR t.namespace_id = ANY(%(namespaces)s::bigint[]))
            ORDER BY t.queue LIMIT 1)
    FROM known k WHERE k.queue IS NOT NULL
)
SELECT ARRAY(SELECT queue FROM known WHERE queue IS NOT NULL LIMIT %(most)s)::text[],
    (SELECT coalesce(json_agg(json_build_array(id, name)), '[]') FROM (
        SELECT id, name FROM rota_task WHERE %(all)s OR namespace_id = ANY(%(namespaces)s::bigint[])
        LIMIT %(most)s + 1
    ) t)::text,
    (SELECT coalesce(json_agg(json_build_array(id, name)), '[]') FROM (
        SELECT id, name FROM rota_pool WHERE %(all)s OR namespace_id = ANY(%(namespaces)s::bigint[])
        ORDER BY name LIMIT %(most)s
    ) p)::text
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What a list can be narrowed to."""

    #: The queues that tasks name, in order.
    queues: Sequence[str]
    #: Ids and names of tasks, in no order: only of few tasks that matters. One more than was asked for says "more".
    tasks: Sequence[tuple[int, str]]
    #: Ids and names of pools, in the order of the names.
    pools: Sequence[tuple[int, str]]


def choices_within(namespace_ids: Collection[int] | None, *, most: int) -> Choices:
    """Return the first ``most`` queues, tasks and pools of the namespaces; None for all. One query for all of them."""
    params = {"all": namespace_ids is None, "namespaces": list(namespace_ids or ()), "most": most}
    row = callers_connection().execute(_CHOICES, params).fetchone()
    assert row is not None  # noqa: S101 - a SELECT of expressions has one row
    queues, tasks, pools = row
    return Choices(queues=queues, tasks=list(map(tuple, json.loads(tasks))), pools=list(map(tuple, json.loads(pools))))


def narrow_to_rows_of(history: Q, tasks: QuerySet[Task]) -> Q:
    """Keep the rows of ``tasks``, of which there may be many.

    Up to `MOST_NAMED` of them are named: the server looks a row up among them in no time.
    """
    ids = list(tasks.order_by().values_list("pk", flat=True)[: MOST_NAMED + 1])
    if len(ids) <= MOST_NAMED:
        return history.filter(task_id__in=sorted(ids))
    return _where(history, tasks.filter(pk=OuterRef("task_id")))


def narrow_to_tasks(history: Q, task_ids: QuerySet[Any, Any], *, also: QuerySet[Any]) -> Q:
    """Keep the rows whose task is among ``task_ids``, a query of ids that may repeat.

    ``also`` asks the same about one row by `OuterRef`. It stands in a CASE, so that the planner does not join it with
    the whole history before the first page, and it is no EXISTS, since the planner would gather all that exist for
    each partition.
    """
    found = list(task_ids.order_by()[: MOST_REPEATED + 1])
    if len(found) <= MOST_REPEATED and len(few := set(found)) <= FEW_TASKS:
        history = history.filter(task_id__in=sorted(few))
    return _where(history, also)


def _where(history: Q, also: QuerySet[Any]) -> Q:
    name = f"of_these_tasks_{len(history.query.annotations)}"
    found_one = IsNull(Subquery(also.order_by().annotate(one=Value(1)).values("one")[:1]), False)
    return history.alias(**{name: Case(When(found_one, then=True), default=False)}).filter(**{name: True})
