"""The time zones in which people can read moments."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
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


def _is_place(name: str) -> bool:
    # “Etc/GMT+5” lies five hours *behind* Greenwich, which nobody means.
    return "/" in name and not name.startswith(("Etc/", "SystemV/", "US/", "posix/", "right/"))
