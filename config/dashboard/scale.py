"""Scales of charts: round numbers above the highest bar, and numbers as words for people."""

from __future__ import annotations

from django.utils.translation import gettext as _

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


def percent(ratio: float | None) -> str:
    """Return a share in words; only all is 100 %, and only none is 0 %."""
    if ratio is None:
        return "–"
    shown = round(ratio * 100, 1)
    if ratio < 1:
        shown = min(shown, 99.9)
    if ratio > 0:
        shown = max(shown, 0.1)
    return _("%(n)s %%") % {"n": f"{shown:g}"}
