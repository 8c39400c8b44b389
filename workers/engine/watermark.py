"""Watermark: where a claim begins to look while dead entries are in the way of one that looks from the beginning.

Somebody who holds an old snapshot (a long report, a dump) keeps the entries of ended work from being cleaned up, and
every claim that begins at the oldest entry walks past all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic

from workers.engine.claim import Claimed

#: A look from the beginning is a long one when it takes more than this (seconds), and this for each claimed instance.
LONG_SECONDS, SECONDS_EACH = 0.005, 0.0005

#: So many times as long as it took the next looks begin at the watermark: little time goes into looks from the
#: beginning, and what lies below the watermark (late commits, higher priorities, retries) waits no longer than that.
TIMES = 40

#: The mark stays so far behind what was claimed: work is rarely committed in exactly its order.
SLACK = timedelta(seconds=2)


class Watermark:
    """Remembers how far one worker's claims have come. As long as looks are short it stays out of the way."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._highest: datetime | None = None
        self._until = 0.0

    def begin(self) -> datetime | None:
        """Return the sort key to begin at; None for the beginning."""
        if self._highest is None or self._clock() >= self._until:
            return None
        return self._highest - SLACK

    def claimed(self, claims: Sequence[Claimed], *, since: datetime | None, seconds: float) -> None:
        """Take note of a claim that began at ``since`` and took so long."""
        if claims:
            highest = max(each.sort_key for each in claims)
            self._highest = highest if self._highest is None else max(self._highest, highest)
        if since is None and seconds > LONG_SECONDS + SECONDS_EACH * len(claims):
            self._until = self._clock() + TIMES * seconds
