"""A page of a long history, newest first, that is narrowed by what no index is in the order of.

Asked for all days at once, the server looks for the newest fitting row of each day before it has the first row of the
page. So the latest days are asked first: they are enough when no row of an earlier day can come before the last one of
the page.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone

from scheduling.admin.filters import reach_of

#: How many days are asked first, and the most that are asked before all are.
FIRST_DAYS, MOST_DAYS = 2, 15

#: By how much more than it seems to take is asked, so that chance seldom makes a third question necessary.
MARGIN = 1.5


def page_of(request: HttpRequest, found: QuerySet[Any], first: int, last: int) -> list[Any]:
    """Return the rows of a list of the history from ``first`` to before ``last``, by the way that suits its filters."""
    if set(found.query.order_by) != {"-id"} or not _is_scattered(request):
        return list(found[first:last])
    return newest_rows(found, first, last, now=timezone.now(), reach=reach_of(request))


def _is_scattered(request: HttpRequest) -> bool:
    """Tell whether the list is narrowed by something about its tasks, which no index knows in its order."""
    words = request.GET.get("q", "").strip()
    return bool(words and not words.removeprefix("#").isdecimal()) or "queue" in request.GET


def newest_rows(found: QuerySet[Any], first: int, last: int, *, now: datetime, reach: timedelta | None) -> list[Any]:
    """Return the rows of ``found`` from ``first`` to before ``last``, as a slice of it would: it is ordered by "-id".

    ``reach`` says how far back the list looks; None for any time. Four queries at most, most often one.
    """
    longest = timedelta(days=MOST_DAYS) if reach is None else min(reach / 2, timedelta(days=MOST_DAYS))
    days: timedelta | None = timedelta(days=FIRST_DAYS)
    while days is not None and days <= longest:
        lately = found.filter(scheduled_for__gte=now - days)
        # With each row, though it is asked once: a question of its own would cost another way to the server.
        rows = list(lately.annotate(newest_before=_newest_before(found, now - days, now, reach))[first:last])
        if len(rows) == last - first:
            if rows[-1].pk > (rows[-1].newest_before or 0):
                return rows
            # Something was made lately for a moment long ago, as a backfill does.
            break
        days = None if days > timedelta(days=FIRST_DAYS) else _days_for(last, _count(lately, first, rows), days)
    return list(found[first:last])


def _count(lately: QuerySet[Any], first: int, rows: list[Any]) -> int:
    """Return how many rows ``lately`` has, of which ``rows`` are those from ``first`` on."""
    return first + len(rows) if rows or not first else len(lately.values_list("pk", flat=True)[:first])


def _days_for(wanted: int, count: int, days: timedelta) -> timedelta | None:
    """Return how many days have so many rows if the others are like these ``days``; None when these have none."""
    return days * (wanted / count) * MARGIN if count else None


def _newest_before(found: QuerySet[Any], moment: datetime, now: datetime, reach: timedelta | None) -> Subquery:
    """Return the highest id of what is meant for earlier than ``moment``, whether it is in the list or not."""
    earlier = found.model._default_manager.filter(scheduled_for__lt=moment)
    if reach is not None:
        earlier = earlier.filter(scheduled_for__gte=now - reach)
    return Subquery(earlier.order_by("-id").values("pk")[:1])
