"""Moments on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.management.base import CommandError
from django.utils.translation import gettext as _


def read_moment(option: str, text: str) -> datetime:
    """Return an ISO 8601 moment in UTC; one without an offset is meant in UTC. Raises CommandError."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandError(
            _("%(option)s: “%(text)s” is no moment; write it as in 2026-03-29T02:30:00+01:00.")
            % {"option": option, "text": text}
        ) from None
