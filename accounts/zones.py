"""The time zones in which people can read moments."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _


def zone_names() -> list[str]:
    """Return the zones to choose from: places by their IANA names, and UTC, in the order of the alphabet."""
    return sorted(name for name in available_timezones() if name == "UTC" or _is_place(name))


def check_zone(name: str) -> None:
    """Raise ValidationError when ``name`` is no zone of the installed database."""
    if name not in available_timezones():
        raise ValidationError(
            _("“%(name)s” is not a known time zone. Use an IANA name such as Europe/Berlin.") % {"name": name}
        )


def zone_named(name: str) -> ZoneInfo | None:
    """Return that zone; None for an empty name, and for one that this machine does not know (any more)."""
    return ZoneInfo(name) if name and name in available_timezones() else None


def absolute(at: datetime, zone: ZoneInfo | None = None) -> str:
    """Return a moment as date, time to the second and zone, on the wall clock of ``zone`` or of the reader.

    The abbreviation tells the two hours of a fold apart; the name beside it tells which CST is meant.
    """
    local = timezone.localtime(at, zone)
    short, name = local.tzname(), timezone.get_current_timezone_name() if zone is None else zone.key
    return f"{date_format(local, 'Y-m-d H:i:s')} {short}" + ("" if short == name else f", {name}")


def _is_place(name: str) -> bool:
    # “Etc/GMT+5” lies five hours *behind* Greenwich, which nobody means.
    return "/" in name and not name.startswith(("Etc/", "SystemV/", "US/", "posix/", "right/"))
