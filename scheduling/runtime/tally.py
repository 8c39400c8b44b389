"""Tally: what a scheduler did since its last line in the log."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Counts and firing delays; emptied by `line`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._delays: list[float] = []
        self._worst = 0.0
        #: What `take_worst` returned last.
        self.taken_worst = 0.0
        #: Everything since the start, by name.
        self.totals: Counter[str] = Counter()

    def add(self, what: str, count: int = 1) -> None:
        """Count ``count`` of ``what``."""
        self._counts[what] += count
        self.totals[what] += count

    def fired(self, *, instances: int, delay_seconds: float) -> None:
        """Count fired instances, and how late their batch was committed."""
        self.add("fired", instances)
        self._delays.append(delay_seconds)
        self._worst = max(self._worst, delay_seconds)

    def take_worst(self) -> float:
        """Return the largest delay (seconds) since the last call."""
        self.taken_worst, self._worst = self._worst, 0.0
        return self.taken_worst

    def line(self) -> str:
        """Return one line for people, and begin anew."""
        parts = [f"fired {self._counts.pop('fired', 0)}"]
        if self._delays:
            ordered = sorted(self._delays)
            median, worst = ordered[len(ordered) // 2], ordered[-1]
            parts.append(f"(lateness median {median * 1000:.0f} ms, worst {worst * 1000:.0f} ms)")
        parts += [f"{name} {count}" for name, count in sorted(self._counts.items()) if count]
        self._counts.clear()
        self._delays.clear()
        return " · ".join(parts).replace(" · (", " (")
