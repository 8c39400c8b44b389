"""How a benchmark shows what it does: a bar on a terminal, lines everywhere."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

from django.core.management.base import OutputWrapper

_WIDTH = 30

#: The bar is drawn again at most so often (seconds).
_REDRAW_SECONDS = 0.1


class Bar:
    """A line that shows how much of a repeat is done; nothing at all when nobody looks."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out
        self._shown = bool(out.isatty())
        self._title = ""
        self._drawn_at = 0.0

    def begin(self, title: str) -> None:
        """Show ``title`` beside an empty bar."""
        self._title = title
        self._drawn_at = 0.0
        self.tell(0.0)

    def tell(self, share: float) -> None:
        """Show ``share``, from 0 to 1."""
        if not self._shown or time.monotonic() - self._drawn_at < _REDRAW_SECONDS:
            return
        self._drawn_at = time.monotonic()
        done = round(min(max(share, 0.0), 1.0) * _WIDTH)
        self._write(f"\r{self._title} [{'█' * done}{'·' * (_WIDTH - done)}] {share:4.0%}")

    def end(self) -> None:
        """Take the bar away."""
        if self._shown:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._out.write(text, ending="")
        self._out.flush()


def said(value: float) -> str:
    """Return a figure with as many digits as say something."""
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.4g}"


def one_line(figures: Mapping[str, float]) -> str:
    """Return the figures of one repeat as a line."""
    return " · ".join(f"{name.replace('_', ' ')} {said(value)}" for name, value in figures.items())


def table(rounds: Sequence[Mapping[str, float]]) -> list[str]:
    """Return lines with the smallest, the middle and the largest of each figure."""
    names = list(dict.fromkeys(name for figures in rounds for name in figures))
    lines = [f"{'':<28}{'min':>12}{'median':>12}{'max':>12}"]
    for name in names:
        values = [figures[name] for figures in rounds if name in figures]
        low, middle, high = min(values), statistics.median(values), max(values)
        lines.append(f"{name.replace('_', ' '):<28}{said(low):>12}{said(middle):>12}{said(high):>12}")
    return lines


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure, rounded to what a person would write down."""
    names = list(dict.fromkeys(name for figures in rounds for name in figures))
    found = {name: statistics.median([each[name] for each in rounds if name in each]) for name in names}
    return {name: float(f"{value:.6g}") for name, value in found.items()}
