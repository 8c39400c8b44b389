"""Small pieces of a page: badges, moments, durations and links, each as safe HTML."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

# Of all apps, also where no page is made.
from accounts.zones import absolute as absolute

NOTHING = "–"

#: Django shortens no weekday in Chinese, which is too long for a column; our translations are found before its own.
SHORT_WEEKDAYS = (
    gettext_noop("Mon"),
    gettext_noop("Tue"),
    gettext_noop("Wed"),
    gettext_noop("Thu"),
    gettext_noop("Fri"),
    gettext_noop("Sat"),
    gettext_noop("Sun"),
)


class Tone(StrEnum):
    """How a badge looks; the word in it says the same, so no meaning is in the colour alone."""

    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    BUSY = "busy"
    CALM = "calm"


#: The tone of each state that a person can see, whatever has it.
TONES: dict[str, Tone] = {
    "succeeded": Tone.GOOD,
    "enabled": Tone.GOOD,
    "online": Tone.GOOD,
    "failed": Tone.BAD,
    "timed_out": Tone.BAD,
    "lost": Tone.BAD,
    "error": Tone.BAD,
    "running": Tone.BUSY,
    "ready": Tone.BUSY,
    "draining": Tone.WARN,
    "paused": Tone.WARN,
    "cancelled": Tone.WARN,
}


def badge(state: str, word: object, *, title: object = "") -> SafeString:
    """Return ``word`` on the colour of ``state``; a state without one is grey."""
    return format_html(
        '<span class="rota-badge rota-{}" title="{}">{}</span>', TONES.get(state, Tone.CALM), title, word
    )


def link(url: str, text: object, *, title: object = "") -> SafeString:
    """Return a link to ``url``."""
    return format_html('<a class="rota-link" href="{}" title="{}">{}</a>', url, title, text)


def relative(at: datetime, now: datetime) -> str:
    """Return how far ``at`` is from ``now``: to the second below a minute, else to the largest unit."""
    distance = abs(at - now)
    if distance < timedelta(minutes=1):
        length = _("%(n)d s") % {"n": distance.total_seconds()}
    else:
        length = timesince(min(at, now), max(at, now), depth=1)
    return _("in %(time)s") % {"time": length} if at > now else _("%(time)s ago") % {"time": length}


def moment(at: datetime | None, *, zone: ZoneInfo | None = None, now: datetime | None = None) -> SafeString:
    """Return a moment in words, with the exact one beside it for the pointer and for screen readers."""
    if at is None:
        return format_html("{}", NOTHING)
    return format_html(
        '<time class="rota-moment" datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        absolute(at, zone),
        relative(at, now or timezone.now()),
    )


def exact_moment(at: datetime | None, *, zone: ZoneInfo | None = None) -> SafeString:
    """Return a moment as date and time, followed by how far away it is."""
    if at is None:
        return format_html("{}", NOTHING)
    return format_html(
        '<span class="rota-exact"><time datetime="{}">{}</time> {}</span>',
        at.isoformat(),
        absolute(at, zone),
        format_html('<span class="rota-subtle">{}</span>', relative(at, timezone.now())),
    )


def duration(start: datetime | None, end: datetime | None) -> str:
    """Return the time between two moments, as precisely as its length deserves; a dash when one is missing."""
    return NOTHING if start is None or end is None else length((end - start).total_seconds())


def length(seconds: float | None) -> str:
    """Return a length of time in words, as precisely as it deserves; a dash for none."""
    if seconds is None:
        return NOTHING
    seconds = max(seconds, 0)
    if seconds < 1:
        return _("%(n)d ms") % {"n": seconds * 1000}
    if seconds < 60:
        return _("%(n).1f s") % {"n": seconds}
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}


def short_count(count: int) -> str:
    """Return a number in at most four characters: 999, 1.2k, 12k, 3.4M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            parts = count / size
            return f"{parts:.1f}".removesuffix(".0") + letter if parts < 9.95 else f"{parts:.0f}{letter}"
    return str(count)


def text_block(text: str) -> SafeString:
    """Return a longer text with its line breaks, in a fixed-width face."""
    return format_html('<pre class="rota-block">{}</pre>', text) if text else format_html("{}", NOTHING)
