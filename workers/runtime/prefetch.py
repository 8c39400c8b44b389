"""How much a worker claims beyond its free slots: enough to keep them busy, never so much that others idle."""

from __future__ import annotations

#: Work that takes longer than this on average (seconds) is not claimed ahead.
SHORT_SECONDS = 0.1

#: The most that is claimed ahead, whatever its length.
MOST_AHEAD = 400

#: The weight of the newest observation in the average.
WEIGHT = 0.1


class Prefetch:
    """Follows how long attempts take; one thread asks, many observe (a lost observation does not matter)."""

    def __init__(self) -> None:
        # Unknown work counts as long, so that nothing is hoarded before anything was seen.
        self._mean = SHORT_SECONDS
        #: All of them together, nearly.
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Take note of one attempt's length."""
        self._mean += (seconds - self._mean) * WEIGHT
        self.seconds += seconds

    def forget(self) -> None:
        """Take the work for long again: something in it was."""
        self._mean = SHORT_SECONDS

    def ahead(self, slots: int) -> int:
        """Return how many to claim beyond the slots: what they get through in `SHORT_SECONDS`."""
        if self._mean >= SHORT_SECONDS / 2:
            return 0
        return min(MOST_AHEAD, int(slots * SHORT_SECONDS / max(self._mean, 1e-5)))
