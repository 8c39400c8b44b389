"""What several tasks share, a calendar or a pool: who uses it, and that it is not deleted meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.cells import NOTHING
from accounts.admin.definitions import DefinitionAdmin

#: So many of the tasks that use it are named in a cell.
NAMED_TASKS = 5

_TASKS = "_rota_task_names"


def remember_users(rows: Iterable[Any], names: Mapping[int, Sequence[str]]) -> None:
    """Keep with each row the names of the tasks that use it, for its cell; ``names`` is by primary key."""
    for row in rows:
        row.__dict__[_TASKS] = names.get(row.pk, ())


class SharedAdmin(DefinitionAdmin):
    """The pages of what has ``tasks``."""

    @admin.display(description=gettext_lazy("used by"))
    def used_by(self, row: Any) -> SafeString | str:
        """The tasks that use it, the first few by name."""
        names: Sequence[str] = row.__dict__[_TASKS]
        if not names:
            return NOTHING
        shown = format_html_join(", ", "{}", ((name,) for name in names[:NAMED_TASKS]))
        more = len(names) - NAMED_TASKS
        return format_html("{} +{}", shown, more) if more > 0 else shown

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Give the description two lines."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "description" and field is not None:
            field.widget.attrs["rows"] = 2
        return field

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Name what would be deleted, and the tasks that keep it from being deleted."""
        rows = list(objs)
        lacking = {str(self.opts.verbose_name) for each in rows if not self.has_delete_permission(request, each)}
        tasks = [_("task “%(name)s”") % {"name": task.name} for each in rows for task in each.tasks.all()]
        return [str(each) for each in rows], {str(self.opts.verbose_name_plural): len(rows)}, lacking, tasks
