"""What rows of the history need to be shown: the names behind their ids, which may belong to nothing any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.admin.cells import link
from accounts.models import Namespace
from scheduling.models import Task, TaskRevision

_KEY = "_rota_ledger_row"


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRow:
    """The names that belong to one instance or execution."""

    task_id: int
    task: str
    task_exists: bool
    #: For people, and the name by which commands and the API know it.
    namespace: str
    namespace_name: str

    def task_link(self) -> SafeString:
        """Return a link to the task, or the name of a deleted one."""
        if self.task_exists:
            return link(reverse("admin:scheduling_task_change", args=[self.task_id]), self.task)
        title = _("This task was deleted.")
        return format_html('<span class="rota-subtle" title="{}">{}</span>', title, self.task)


_OF_TASKS = ("name", "overlap", "max_running", "namespace__name", "namespace__title")


def prepare_ledger_rows(rows: Sequence[Any]) -> dict[int, Task]:
    """Find the names for all ``rows`` (instances or executions) with one query, three where a task was deleted.

    Return their tasks by id, with `overlap` and `max_running`.

    There is no join on purpose: history rows have no foreign keys, and an inner join would hide the history of
    deleted tasks.
    """
    ids = {row.task_id for row in rows}
    # Of these alone, not of the whole definition; the namespace comes along.
    few = Task.objects.filter(pk__in=ids).select_related("namespace").order_by()
    tasks = {task.pk: task for task in few.only(*_OF_TASKS)}
    last_names = _last_names(gone) if (gone := ids - set(tasks)) else {}
    namespaces = {task.namespace_id: task.namespace for task in tasks.values()}
    if missing := {row.namespace_id for row in rows} - set(namespaces):
        namespaces |= Namespace.objects.in_bulk(missing)
    for row in rows:
        task, namespace = tasks.get(row.task_id), namespaces.get(row.namespace_id)
        row.__dict__[_KEY] = LedgerRow(
            task_id=row.task_id,
            task=task.name if task else last_names.get(row.task_id) or _deleted(row.task_id),
            task_exists=task is not None,
            namespace=str(namespace) if namespace else f"#{row.namespace_id}",
            namespace_name=namespace.name if namespace else "",
        )
    return tasks


def ledger_row(row: Any) -> LedgerRow:
    """Return the names that belong to ``row``, looked up now unless `prepare_ledger_rows` did."""
    if _KEY not in row.__dict__:
        prepare_ledger_rows([row])
    found: LedgerRow = row.__dict__[_KEY]
    return found


def _deleted(task_id: int) -> str:
    return _("deleted task #%(id)s") % {"id": task_id}


def _last_names(task_ids: set[int]) -> dict[int, str]:
    revisions = TaskRevision.objects.filter(task_id__in=task_ids).order_by("task_id", "-version").distinct("task_id")
    return {
        task_id: _("%(name)s (deleted)") % {"name": name}
        for task_id, name in revisions.values_list("task_id", "definition__name")
        if name
    }
