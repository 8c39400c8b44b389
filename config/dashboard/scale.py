"""Scales of charts: round numbers above the highest bar, and coordinates."""

from __future__ import annotations

#: The chart's inside is so many units high; how many pixels that is, the style sheet says.
HEIGHT = 100.0


def round_top(highest: int) -> int:
    """Return an even, round number that is not below ``highest``: 2, 4, 10, 20, 40, 100, …"""
    step = 1
    while True:
        for factor in (2, 4, 10):
            if factor * step >= highest:
                return factor * step
        step *= 10


def unit(value: float) -> str:
    """Return a coordinate as SVG reads it, whatever the language of the page."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
