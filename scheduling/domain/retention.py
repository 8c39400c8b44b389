"""Retention: which days of the history are old enough to go, and what keeps one nevertheless."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class Keeping(StrEnum):
    """Why a partition is still there."""

    #: Its age has not come yet.
    YOUNG = "young"
    #: Something of that day has not ended.
    LIVE = "live"
    #: Its day is long past, but it was written to lately, by a backfill or a run for an earlier moment.
    WRITTEN_LATELY = "written_lately"
    #: Nothing is ever dropped from its table.
    FOR_EVER = "for_ever"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ages:
    """How long each kind of row is kept; None: for ever."""

    history: timedelta | None
    logs: timedelta | None
    statistics: timedelta | None
    definitions: timedelta | None

    @classmethod
    def of(cls, *, history_days: int, log_days: int, statistics_days: int, definition_days: int) -> Ages:
        """Read ages in days, where 0 is for ever.

        A log is never kept longer than its execution, since nothing would lead to it; nor is a definition dropped
        before the history that was run by it.
        """
        history = _age(history_days)
        logs = _age(log_days) or history
        definitions = _age(definition_days)
        if history is not None and logs is not None:
            logs = min(logs, history)
        if definitions is not None:
            definitions = None if history is None else max(definitions, history)
        return cls(history=history, logs=logs, statistics=_age(statistics_days), definitions=definitions)


def _age(days: int) -> timedelta | None:
    return timedelta(days=days) if days else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether a partition may be dropped."""

    #: None: it may go now.
    keeping: Keeping | None
    #: When it may go, if nothing else is in the way then; None: nobody knows.
    drops_at: datetime | None

    @property
    def may_go(self) -> bool:
        """Whether nothing keeps it."""
        return self.keeping is None


def judge(
    *, ends_at: datetime, now: datetime, keep: timedelta | None, live: int, written_at: datetime | None
) -> Verdict:
    """Decide about one partition.

    ``ends_at`` is the first moment after its day; ``keep`` how long its table keeps what is older than that, None for
    ever. ``live`` is the number of unfinished instances of the day, and ``written_at`` the moment at which the
    newest instance of the day was made, None when there is none: what a backfill made today for a day last year is
    kept as long as anything else that was made today.
    """
    if keep is None:
        return Verdict(keeping=Keeping.FOR_EVER, drops_at=None)
    due_at = ends_at + keep
    if now < due_at:
        return Verdict(keeping=Keeping.YOUNG, drops_at=due_at)
    if live:
        return Verdict(keeping=Keeping.LIVE, drops_at=None)
    if written_at is not None and now < written_at + keep:
        return Verdict(keeping=Keeping.WRITTEN_LATELY, drops_at=written_at + keep)
    return Verdict(keeping=None, drops_at=now)


def age_in_days(day: date, now: datetime) -> int:
    """Return how many days ago ``day`` (UTC) was; negative for days to come."""
    return (now.date() - day).days
