"""Watermark: where a claim begins to look, so that it need not walk past what has ended already.

An entry of ended work stays in the index until a vacuum takes it away. That comes once a minute on most servers, and
not at all while somebody holds an old snapshot (a long report, a dump). Every claim that begins at the oldest entry
walks past all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic

from workers.engine.claim import Claimed, Place

#: A look from the beginning is a long one when it takes more than this (seconds), and this for each claimed instance.
LONG_SECONDS, SECONDS_EACH = 0.005, 0.0001

#: So many times as long as it took the next looks begin at the watermark: little time goes into looks from the
#: beginning, and what lies below the watermark (late commits, higher priorities, retries) waits no longer than that.
TIMES = 40

#: After a long look the mark stays so far behind what was claimed: work is rarely committed in exactly its order.
SLACK = timedelta(seconds=2)

#: A claim that took so many, and could have had more, is followed by others that go on exactly where it ended, ...
MANY = 32

#: ... for so long (seconds): a backlog is worked off in its order, and what comes in before it waits a moment.
IN_ORDER_SECONDS = 0.05


class Watermark:
    """Remembers how far one worker's claims have come. As long as looks are short and small it stays out of the way."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._highest: Place | None = None
        #: Where the last claim ended.
        self._last: Place | None = None
        self._until = 0.0
        self._in_order_until = 0.0

    def begin(self) -> Place | None:
        """Return the place to begin at; None for the beginning."""
        now = self._clock()
        if self._last is not None and now < self._in_order_until:
            return self._last
        if self._highest is not None and now < self._until:
            return Place(self._highest.sort_key - SLACK)
        return None

    def claimed(self, claims: Sequence[Claimed], *, slots: int, since: Place | None, seconds: float) -> bool:
        """Take note of a claim of ``slots`` that began at ``since``, took so long and returned ``claims``, in order.

        Returns whether another look is due at once: this one went on where one before had ended, and found the end of
        the backlog, so what came in before that place is next.
        """
        was_in_order = since is not None and since == self._last
        if claims:
            self._last = Place(claims[-1].sort_key, claims[-1].instance_id)
            self._highest = self._last if self._highest is None else max(self._highest, self._last)
        if len(claims) < slots:
            self._in_order_until = 0.0
        elif len(claims) >= MANY and not was_in_order:
            self._in_order_until = self._clock() + IN_ORDER_SECONDS
        if since is None and seconds > LONG_SECONDS + SECONDS_EACH * len(claims):
            self._until = self._clock() + TIMES * seconds
        return was_in_order and len(claims) < slots
