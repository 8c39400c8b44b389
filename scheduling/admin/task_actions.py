"""What can be done with tasks from a page: each action asks the service, which checks the reader's role again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin.base import actor_of
from accounts.admin.cells import link
from accounts.models import User
from scheduling.admin.report import Report
from scheduling.domain.states import InstanceState
from scheduling.exceptions import UnknownTask
from scheduling.models import Task, TaskInstance
from scheduling.services import duplicate_task, pause_task, resume_task, run_task_now


def instance_url(instance_id: int) -> str:
    """Return the address of an instance's page."""
    return reverse("admin:scheduling_taskinstance_change", args=[instance_id])


def run_now(request: HttpRequest, tasks: Iterable[Task]) -> Report:
    """Queue one run of each; a run that an overlap rule ended at once is named as left out."""
    report = Report()

    def run(task: Task, actor: User) -> None:
        made = run_task_now(task, actor=actor)
        # Admission of a limited task follows the commit, so the row is read once more.
        made = TaskInstance.objects.with_entry().get(pk=made.pk, scheduled_for=made.scheduled_for)
        if made.state is InstanceState.SKIPPED:
            report.refuse(task, _("skipped. %(why)s") % {"why": made.full_message})
            return
        report.done += 1
        report.links.append(link(instance_url(made.pk), f"#{made.pk}"))

    _each(request, tasks, run, report)
    report.show(request, ngettext("%(n)d run was queued:", "%(n)d runs were queued:", report.done) % {"n": report.done})
    return report


def pause(request: HttpRequest, tasks: Iterable[Task]) -> Report:
    """Stop the triggers."""
    report = Report()

    def stop(task: Task, actor: User) -> None:
        if not task.enabled:
            report.refuse(task, _("is paused already"))
            return
        pause_task(task, actor=actor)
        report.done += 1

    _each(request, tasks, stop, report)
    report.show(
        request, ngettext("%(n)d task was paused.", "%(n)d tasks were paused.", report.done) % {"n": report.done}
    )
    return report


def resume(request: HttpRequest, tasks: Iterable[Task]) -> Report:
    """Let the triggers go on."""
    report = Report()

    def go_on(task: Task, actor: User) -> None:
        if task.enabled:
            report.refuse(task, _("is not paused"))
            return
        resume_task(task, actor=actor)
        report.done += 1

    _each(request, tasks, go_on, report)
    report.show(request, ngettext("%(n)d task goes on.", "%(n)d tasks go on.", report.done) % {"n": report.done})
    return report


def duplicate(request: HttpRequest, tasks: Iterable[Task]) -> list[Task]:
    """Store a paused copy of each, and return the copies."""
    report, copies = Report(), []

    def copy(task: Task, actor: User) -> None:
        made = duplicate_task(task, actor=actor)
        copies.append(made)
        report.done += 1
        report.links.append(link(reverse("admin:scheduling_task_change", args=[made.pk]), made.name))

    _each(request, tasks, copy, report)
    report.show(
        request,
        ngettext("%(n)d paused copy was made:", "%(n)d paused copies were made:", report.done) % {"n": report.done},
    )
    return copies


def _each(request: HttpRequest, tasks: Iterable[Task], act: Callable[[Task, User], None], report: Report) -> None:
    actor = actor_of(request)
    for task in tasks:
        try:
            act(task, actor)
        except (PermissionDenied, ValidationError) as error:
            report.refuse(task, error)
        except UnknownTask:
            report.refuse(task, _("was deleted meanwhile"))
