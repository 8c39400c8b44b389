"""Task sums: the sums that tables of tasks are read from are made and moved on in time, so that no reader waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from scheduling.conf import conf
from scheduling.db import Connection
from scheduling.domain.spans import Span, slots_of
from scheduling.engine.advance_window import advance_window, forget_windows

#: So long before an hour is over, the ranges that begin with the next one are made.
AHEAD = timedelta(minutes=10)

#: Days begin at another moment in each time zone; those of the most people, and no more than this. For any other zone
#: a range of UTC does that begins within a day, with the hours before it.
MOST_ZONES = 8

#: So long after somebody else was at them, the sums are looked at again.
AGAIN_SECONDS = 1.0

# The clock, the time zones of people, and how far the ranges that there are reach, by where they begin.
_LOOK = """
SELECT clock_timestamp(),
    ARRAY(SELECT time_zone FROM accounts_user WHERE is_active AND time_zone <> ''
        GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %(most)s)::text[],
    ARRAY(SELECT since FROM rota_stat_window ORDER BY since), ARRAY(SELECT until FROM rota_stat_window ORDER BY since)
"""


def sums_are_late(conn: Connection) -> bool:
    """Return whether there is anything to do for `keep_sums`. One query."""
    this_hour, wanted, known = _look(conn)
    return wanted != known.keys() or any(until < this_hour for until in known.values())


def keep_sums(conn: Connection) -> int:
    """Make the ranges that pages ask for, have all reach the present hour, and delete the others.

    Returns how many ranges were made or moved on. What somebody else is at, he does.
    """
    return _keep(conn)[0]


def keep_sums_in_turn(conn: Connection, *, patience_seconds: float) -> int:
    """Do what `keep_sums` does, and again while somebody else holds the statistics, until the patience is over.

    Returns how many ranges were made or moved on. It rests in between, so it is for a thread of its own.
    """
    until, pause = time.monotonic() + patience_seconds, threading.Event()
    count, lost = _keep(conn)
    while lost and time.monotonic() < until:
        pause.wait(AGAIN_SECONDS)
        more, lost = _keep(conn)
        count += more
    return count


def _keep(conn: Connection) -> tuple[int, bool]:
    """Do it once; also tell whether something was left because somebody else was at it."""
    this_hour, wanted, known = _look(conn)
    passed = known.keys() - wanted
    lost = bool(passed) and forget_windows(conn, passed) is None
    changed = [advance_window(conn, since=since, until=this_hour) for since in sorted(wanted)]
    return sum(bool(each) for each in changed), lost or None in changed


def wanted_windows(now: datetime, zone_names: Iterable[str]) -> set[datetime]:
    """Return where the ranges begin that pages ask for at ``now`` or soon, in these time zones and the server's."""
    zones = [zone for name in {settings.TIME_ZONE, *zone_names} if (zone := _zone(name)) is not None]
    asked: list[tuple[tzinfo, datetime]] = [(zone, moment) for zone in zones for moment in (now, now + AHEAD)]
    asked += [(UTC, now), (UTC, now + timedelta(days=1))]
    kept = timedelta(days=conf().STATISTICS_DAYS)
    # Of the last 24 hours, those a day hence are nobody's question.
    return {
        since
        for span in Span
        for zone, moment in asked
        if (since := slots_of(span, now=moment, zone=zone).begins_at) <= now and (not kept or since > now - kept)
    }


def _look(conn: Connection) -> tuple[datetime, set[datetime], Mapping[datetime, datetime]]:
    row = conn.execute(_LOOK, {"most": MOST_ZONES}).fetchone()
    assert row is not None  # noqa: S101 - a SELECT of expressions has one row
    now, zones, since, until = row
    now = now.astimezone(UTC)
    known = dict(zip(since, until, strict=True))
    return now.replace(minute=0, second=0, microsecond=0), wanted_windows(now, zones), known


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
