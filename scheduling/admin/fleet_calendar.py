"""The fleet calendar: what all tasks did in the past seven days, and will do in the coming seven, hour by hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.admin.base import actor_of
from accounts.admin.cells import short_count
from accounts.admin.namespace_titles import namespace_titles
from accounts.admin.patience import patience
from scheduling.admin.heat_map import HOUR, Cell, HeatMap, heat_map, hours_between, midnight
from scheduling.db import callers_connection, database_now
from scheduling.statistics import (
    Schedule,
    Scope,
    ends_by_hour,
    fires_by_hour,
    schedules,
    scope_of,
    tasks_that_ended,
    tasks_that_fire,
)

#: Days before and after today.
DAYS = 7

#: So many tasks of an hour are named.
NAMED_TASKS = 100


@dataclass(frozen=True, slots=True)
class Link:
    """A cell as the template writes it."""

    cell: Cell
    url: str
    shown: str
    #: When and what, in full.
    says: str
    chosen: bool


@require_safe
def fleet_calendar(request: HttpRequest) -> HttpResponse:
    """Show both maps, and with ``?hour=`` the tasks behind one hour. Raises NoAnswer."""
    context = {**admin.site.each_context(request), "title": _("Fleet calendar")}
    with patience():
        context |= _maps(request)
    return TemplateResponse(request, "admin/scheduling/fleet_calendar.html", context)


def _maps(request: HttpRequest) -> dict[str, Any]:
    scope = scope_of(actor_of(request))
    if scope.namespace_ids == ():
        return {"no_namespace": True}
    now = database_now(callers_connection())
    zone = timezone.get_current_timezone()
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    today = now.astimezone(zone).date()
    begins = midnight(today - timedelta(days=DAYS), zone)
    ends = midnight(today + timedelta(days=DAYS + 1), zone)
    chosen = _hours_asked_for(request, begins, ends)
    is_past = request.GET.get("of") == "past"
    # What has been read for the map serves for an hour of it as well.
    names_coming = bool(chosen) and chosen[0] >= this_hour and not is_past
    known = schedules(scope, since=this_hour, until=ends, named=NAMED_TASKS + 1 if names_coming else 0)
    fires = fires_by_hour(scope, since=this_hour, until=ends, among=known)
    ended = ends_by_hour(scope, since=begins, until=this_hour + HOUR)
    coming = heat_map(hours_between(this_hour, ends), fires.counts, zone)
    past = heat_map(
        hours_between(begins, this_hour + HOUR),
        {hour: each.total for hour, each in ended.items()},
        zone,
        failed={hour: each.failed for hour, each in ended.items()},
    )
    context = {
        "maps": [
            _map_context("coming", _("The coming seven days"), coming, chosen if not is_past else ()),
            _map_context("past", _("The past seven days"), past, chosen if is_past else ()),
        ],
        "zone": str(zone),
        "tasks_left": fires.tasks_left,
    }
    if chosen:
        context |= _hour_context(scope, chosen, is_past=is_past, among=known if names_coming else None)
    elif request.GET.get("hour"):
        context["hour_elsewhere"] = True
    return context


def _map_context(key: str, title: str, found: HeatMap, chosen: Sequence[datetime]) -> dict[str, Any]:
    nothing = _("No enabled task fires in these days.") if key == "coming" else _("Nothing ended in these days.")
    return {
        "key": key,
        "title": title,
        "days": [(date_format(day, "D"), day.day, date_format(day, _("l, j F"))) for day in found.days],
        "rows": [(time, [cell and _link(key, cell, chosen) for cell in cells]) for time, cells in found.rows],
        "legend": found.legend,
        "total": found.total,
        "nothing": nothing,
        "has_failures": any(cell and cell.failed for _time, cells in found.rows for cell in cells),
    }


def _link(key: str, cell: Cell, chosen: Sequence[datetime]) -> Link:
    first = cell.hours[0]
    address = f"{reverse('admin_fleet_calendar')}?of={key}&hour={first:%Y-%m-%dT%H}&hours={len(cell.hours)}#hour"
    return Link(
        cell=cell,
        url=address,
        shown=short_count(cell.count) if cell.count else "",
        says=f"{date_format(timezone.localtime(first), _('D j M, H:i'))}: {_says(key, cell)}",
        chosen=first in chosen,
    )


def _says(key: str, cell: Cell) -> str:
    if key == "coming":
        return ngettext("%(n)d fire", "%(n)d fires", cell.count) % {"n": cell.count}
    ended = ngettext("%(n)d ended", "%(n)d ended", cell.count) % {"n": cell.count}
    if not cell.failed:
        return ended
    return f"{ended}, " + ngettext("%(n)d failed", "%(n)d failed", cell.failed) % {"n": cell.failed}


def _hours_asked_for(request: HttpRequest, begins: datetime, ends: datetime) -> Sequence[datetime]:
    """Return the hours of UTC that the address names; none when it names none, or one outside the maps."""
    try:
        first = datetime.strptime(request.GET.get("hour", ""), "%Y-%m-%dT%H").replace(tzinfo=UTC)
    except ValueError:
        return ()
    if not begins <= first < ends:
        return ()
    return (first, first + HOUR) if request.GET.get("hours") == "2" else (first,)


def _hour_context(
    scope: Scope, chosen: Sequence[datetime], *, is_past: bool, among: Sequence[Schedule] | None
) -> dict[str, Any]:
    since, until = chosen[0], chosen[-1] + HOUR
    if is_past:
        tasks = tasks_that_ended(scope, since=since, until=until, limit=NAMED_TASKS + 1)
    else:
        tasks = tasks_that_fire(scope, since=since, until=until, limit=NAMED_TASKS + 1, among=among)
    titles = namespace_titles(each.namespace for each in tasks)
    local = timezone.localtime(since)
    return {
        "hour": f"{date_format(local, _('l, j F, H:i'))}–{date_format(timezone.localtime(until), 'H:i')}",
        "hour_is_past": is_past,
        "tasks": [replace(each, namespace=titles.get(each.namespace, each.namespace)) for each in tasks[:NAMED_TASKS]],
        "more_tasks": len(tasks) > NAMED_TASKS,
        "most_tasks": NAMED_TASKS,
    }
