"""VirtualClock: a moment that stands still until it is set, for the scheduler's loop and for its SQL alike.

The engine's statements ask the database for ``clock_timestamp()``, and nothing but the database decides whether a tick
is due. In a scratch schema (see `scratch_schema`) that name means a function which reads one setting of the
transaction. The statements themselves are the ones of production, to the letter.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from scheduling.db import Connection
from scheduling.notify import Notifier

#: The setting of the transaction that holds the moment.
SETTING = "rota.now"


class VirtualClock:
    """Tells the loop the same moment that the database tells its statements. It never runs backwards."""

    def __init__(self, conn: Connection, now: datetime) -> None:
        self._conn = conn
        self._now = now
        self._tell()

    def now(self) -> datetime:
        """Return the moment that was set last, in UTC."""
        return self._now

    def sync(self, database_now: datetime, *, asked_at: float, answered_at: float) -> None:
        """Change nothing: this clock sets the database's, and not the other way round."""

    def set(self, moment: datetime) -> None:
        """Go on to ``moment``. Raises ValueError when it lies in the past of this clock or has no time zone."""
        if moment.utcoffset() is None:
            raise ValueError("a moment needs a time zone")
        moment = moment.astimezone(UTC)
        if moment < self._now:
            raise ValueError(f"the clock shows {self._now.isoformat()} already")
        self._now = moment
        self._tell()

    def _tell(self) -> None:
        self._conn.execute("SELECT set_config(%s, %s, true)", [SETTING, self._now.isoformat()])


class SilentNotifier(Notifier):
    """Announces nothing: nobody else can see what happens on a virtual clock."""

    def send(self, channel: str, payloads: Iterable[str] = ("",)) -> None:
        """Drop the hint."""

    def changed(self) -> None:
        """Tell nobody."""
