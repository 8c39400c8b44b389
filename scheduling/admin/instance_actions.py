"""What can be done with instances from a page."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin.base import actor_of
from accounts.admin.cells import link
from scheduling.admin.report import Report
from scheduling.admin.task_actions import instance_url
from scheduling.domain.states import InstanceState
from scheduling.exceptions import UnknownTask
from scheduling.models import TaskInstance
from scheduling.services import cancel_instances, rerun_instance


def cancel(request: HttpRequest, instances: Iterable[TaskInstance], *, comment: str = "", kill: bool = False) -> None:
    """Cancel each: what waits ends at once, what runs is told to stop (or killed), what has ended stays."""
    by_namespace: dict[int, list[TaskInstance]] = {}
    for instance in instances:
        by_namespace.setdefault(instance.namespace_id, []).append(instance)
    cancelled = requested = 0
    report = Report()
    for chosen in by_namespace.values():
        try:
            result = cancel_instances(chosen, actor=actor_of(request), comment=comment, kill=kill)
        except PermissionDenied as error:
            for instance in chosen:
                report.refuse(instance, error)
            continue
        cancelled += len(result.cancelled)
        requested += len(result.requested)
        live = {*result.cancelled, *result.requested}
        for instance in chosen:
            if instance.pk not in live:
                report.refuse(instance, _("has ended already"))
    report.done = cancelled + requested
    parts = []
    if cancelled:
        parts.append(ngettext("%(n)d was cancelled.", "%(n)d were cancelled.", cancelled) % {"n": cancelled})
    if requested:
        told = (
            ngettext("%(n)d runs and is being killed.", "%(n)d run and are being killed.", requested)
            if kill
            else ngettext("%(n)d runs and was told to stop.", "%(n)d run and were told to stop.", requested)
        )
        parts.append(told % {"n": requested})
    report.show(request, " ".join(parts))


def rerun(request: HttpRequest, instances: Iterable[TaskInstance]) -> list[TaskInstance]:
    """Make a new instance of each that has ended, and return what was made."""
    report, made = Report(), []
    for instance in instances:
        try:
            new = rerun_instance(instance, actor=actor_of(request))
        except (PermissionDenied, ValidationError) as error:
            report.refuse(instance, error)
            continue
        except UnknownTask:
            report.refuse(instance, _("its task was deleted meanwhile"))
            continue
        new = TaskInstance.objects.with_entry().get(pk=new.pk, scheduled_for=new.scheduled_for)
        made.append(new)
        if new.state is InstanceState.SKIPPED:
            report.refuse(instance, _("skipped. %(why)s") % {"why": new.full_message})
            continue
        report.done += 1
        report.links.append(link(instance_url(new.pk), f"#{new.pk}"))
    report.show(
        request,
        ngettext("%(n)d instance runs again:", "%(n)d instances run again:", report.done) % {"n": report.done},
    )
    return made
