"""The page of a task's versions: what each changed, and a way back to it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from accounts.admin.base import actor_of
from accounts.admin.cells import exact_moment, link
from accounts.whole_numbers import BIGGEST_INTEGER, number_up_to
from scheduling.models import Task, TaskRevision
from scheduling.services import restore_revision, revision_changes

#: So many versions are on one page.
PAGE = 20


def revisions_page(model_admin: ModelAdmin, request: HttpRequest, task: Task) -> HttpResponse:
    """Show the versions of ``task``, which the reader may see, newest first, each with what it changed."""
    before = _number(request.GET.get("before", "")) or BIGGEST_INTEGER
    # One more than is shown, for what the oldest one of the page changed.
    found = list(TaskRevision.objects.filter(task=task.pk, version__lt=before).order_by("-version")[: PAGE + 1])
    rows = [_row(task, each, found[place + 1] if place + 1 < len(found) else None) for place, each in enumerate(found)]
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Versions of %(task)s") % {"task": task},
        "subtitle": None,
        "original": task,
        "task": task,
        "task_link": link(reverse("admin:scheduling_task_change", args=[task.pk]), task.name),
        "rows": rows[:PAGE],
        "older": found[PAGE - 1].version if len(found) > PAGE else None,
        "may_restore": model_admin.has_change_permission(request, task),
    }
    return TemplateResponse(request, "admin/scheduling/task/revisions.html", context)


def restore(model_admin: ModelAdmin, request: HttpRequest, task: Task) -> HttpResponse:
    """Store an earlier version once more, as the newest one, and tell what came of it."""
    version = _number(request.POST.get("version", "")) or 0
    back = HttpResponseRedirect(reverse("admin:scheduling_task_revisions", args=[task.pk]))
    try:
        restored = restore_revision(task, version, actor=actor_of(request))
    except ValidationError as error:
        named = {"version": version, "why": _problems(error)}
        messages.error(request, _("Version %(version)d was not restored. %(why)s") % named)
        return back
    except PermissionDenied as error:
        messages.error(request, str(error))
        return back
    if restored.version == task.version:
        messages.info(request, _("Nothing differs from version %(version)d.") % {"version": version})
        return back
    sentence = _("Version %(old)d was restored as version %(new)d.") % {"old": version, "new": restored.version}
    model_admin.log_change(request, restored, sentence)
    messages.success(request, sentence)
    return back


def _row(task: Task, revision: TaskRevision, before: TaskRevision | None) -> dict[str, Any]:
    first = before is None and revision.version == 1
    return {
        "version": revision.version,
        "at": exact_moment(revision.created_at),
        "current": revision.version == task.version,
        "first": first,
        "forgotten": before is None and not first,
        "changes": [
            {"label": each.label, "path": ".".join(each.path), "before": each.before, "after": each.after}
            for each in (revision_changes(before.definition, revision.definition) if before is not None else [])
        ],
    }


def _problems(error: ValidationError) -> str:
    if hasattr(error, "error_dict"):
        return " ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
    return " ".join(error.messages)


def _number(text: str) -> int | None:
    return number_up_to(text, BIGGEST_INTEGER)
