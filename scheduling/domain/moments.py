"""Which moments a schedule can speak of."""

from datetime import UTC, datetime

from scheduling.domain.errors import InvalidField, gettext_noop

#: Within these every moment can be shown on any wall clock, and every calendar library agrees.
FIRST_YEAR, LAST_YEAR = 1900, 2199

_FIRST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
_END = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)


def check_moment(field: str, moment: datetime) -> None:
    """Raise InvalidField for ``field`` when ``moment`` has no time zone, or lies outside of 1900 to 2199."""
    if moment.utcoffset() is None:
        raise InvalidField(field, gettext_noop("This moment needs a time zone."))
    if not _FIRST <= moment < _END:
        raise InvalidField(
            field,
            gettext_noop("Choose a moment between the years %(first)d and %(last)d."),
            {"first": FIRST_YEAR, "last": LAST_YEAR},
        )
