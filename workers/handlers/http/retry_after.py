"""When a server that is overloaded wants to be asked again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests

#: The answers with which the header says when to try again; with a redirect it means something else.
_ASKS_TO_WAIT = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

#: More digits than any delay has that somebody means.
_SECONDS = re.compile(r"[0-9]{1,10}")


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds for which a 429 or 503 wants to be left alone; None when it does not say, or says nonsense.

    Both forms are read, seconds and a date (RFC 9110, section 10.2.3). A date is compared with the server's own
    ``Date``, where there is one, because its clock may be wrong.
    """
    said = response.headers.get("Retry-After", "").strip()
    if response.status_code not in _ASKS_TO_WAIT or not said:
        return None
    if _SECONDS.fullmatch(said):
        seconds = float(said)
    else:
        moment = _date(said)
        if moment is None:
            return None
        now = _date(response.headers.get("Date", "")) or datetime.now(UTC)
        seconds = (moment - now).total_seconds()
    return seconds if seconds > 0 else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
