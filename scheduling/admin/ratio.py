"""Shares in words, the same on every page."""

from __future__ import annotations

from django.utils.translation import gettext as _


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
