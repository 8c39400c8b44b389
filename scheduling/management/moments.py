"""Moments on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from scheduling.domain.errors import InvalidField
from scheduling.domain.moments import check_moment


def read_moment(option: str, text: str) -> datetime:
    """Return an ISO 8601 moment in UTC; one without an offset is meant in UTC. Raises CommandError."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
        check_moment(option, moment)
    except InvalidField as error:
        raise CommandError(f"{option}: {_(error.message) % error.params}") from error
    except (ValueError, OverflowError):
        raise CommandError(
            _("%(option)s: “%(text)s” is no moment; write it as in 2026-03-29T02:30:00+01:00.")
            % {"option": option, "text": text}
        ) from None
    return moment
