"""KnownClocks: the clocks that a scheduler has read ahead, in the order in which it has to do something about them."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta

from scheduling.runtime.clock_reader import KnownClock
from scheduling.runtime.registry import Share

#: What is another scheduler's share is left to it for so long, and then looked after in rounds this far apart: it may
#: have died, and nothing depends on who fires.
FOREIGN, ROUND = timedelta(seconds=1), timedelta(seconds=0.25)


class KnownClocks:
    """Clocks by task, each with the moment at which it is this scheduler's turn; used by one thread."""

    def __init__(self) -> None:
        #: Which tasks this scheduler fires at their moment.
        self.share = Share()
        self._order: list[tuple[datetime, int]] = []
        self._clocks: dict[int, KnownClock] = {}

    @property
    def first_at(self) -> datetime | None:
        """When there is something to do about one of them; None: never."""
        return self._order[0][0] if self._order else None

    def forget(self) -> None:
        """Know nothing."""
        self._order.clear()
        self._clocks.clear()

    def remember(self, clock: KnownClock, *, not_before: datetime | None = None) -> bool:
        """Take ``clock`` in, in place of what was known of its task; its turn comes at ``not_before`` or later.

        Returns whether that it comes due then is new.
        """
        if clock.next_run_at is None:
            return False
        known = self._clocks.get(clock.task_id)
        self._clocks[clock.task_id] = clock
        if known is not None and known.next_run_at == clock.next_run_at and not_before is None:
            # Its turn stands in the order already.
            return False
        at = clock.next_run_at if not_before is None else max(clock.next_run_at, not_before)
        if self.share.has(clock.task_id):
            clock.warm_up()
        else:
            at = max(at, _end_of_round(clock.next_run_at + FOREIGN))
        heapq.heappush(self._order, (at, clock.task_id))
        return True

    def take(self, until: datetime) -> list[KnownClock]:
        """Return those whose turn has come by ``until``, the earliest first, and forget them."""
        due = []
        while self._order and self._order[0][0] <= until:
            _, task_id = heapq.heappop(self._order)
            clock = self._clocks.get(task_id)
            # One that was taken in anew may have been put off meanwhile; then this was its old turn.
            if clock is not None and clock.next_run_at is not None and clock.next_run_at <= until:
                due.append(self._clocks.pop(task_id))
        return due


def _end_of_round(moment: datetime) -> datetime:
    """Return the end of the round in which ``moment`` lies, so that many are looked after by one question."""
    return moment + (datetime.min.replace(tzinfo=UTC) - moment) % ROUND
