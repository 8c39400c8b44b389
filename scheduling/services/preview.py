"""What a trigger will do, before anybody saves it: one answer for the admin, the API and the command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.domain.calendars import TaskCalendars
from scheduling.domain.errors import InvalidField, gettext_noop
from scheduling.domain.policies import TriggerKind
from scheduling.domain.task_trigger import TRIGGER_FIELDS, spec_of_task
from scheduling.domain.triggers.cron_expression import uses_hash
from scheduling.domain.triggers.daylight import ClockEffect, Daylight
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger, next_fires
from scheduling.domain.triggers.zone import find_zone
from scheduling.models import Calendar, Task
from scheduling.services.blackouts import read_calendar
from scheduling.services.cron_words import cron_words
from scheduling.services.fires_per_day import fires_per_day, rate_words
from scheduling.services.validation import trigger_of

#: How many fires one preview shows at most.
MOST_FIRES = 10_000
#: How many skipped local times are named.
_MOST_LEFT_OUT = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewedFire:
    """One tick: its moment on three clocks, and what is to be known about it."""

    at: datetime
    local: datetime
    #: On the reader's clock; None when nobody said which that is.
    viewer: datetime | None = None
    #: `clock_change`, `moved`, `first_passage`, `second_passage`, `blackout`.
    marks: tuple[str, ...] = ()
    #: A sentence for each mark.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What a trigger will do."""

    words: str
    timezone: str
    viewer_timezone: str | None
    fires: list[PreviewedFire]
    #: Local times (naive) of the previewed span that do not exist and are skipped.
    left_out: list[datetime]
    #: Averaged over the next week, or year where it is rare; None for a trigger that no clock drives.
    fires_per_day: float | None
    #: Sentences about the trigger as a whole.
    notes: list[str] = field(default_factory=list)

    @property
    def rate_words(self) -> str:
        """About how often it fires, for people; empty when there is nothing to say."""
        return rate_words(self.fires_per_day) if self.fires and self.fires_per_day is not None else ""

    @property
    def to_the_millisecond(self) -> bool:
        """Whether seconds are too coarse to tell the fires apart; then all of them show their milliseconds."""
        return any(fire.at.microsecond for fire in self.fires)


def preview(
    spec: TriggerSpec,
    *,
    count: int = 10,
    after: datetime | None = None,
    viewer_timezone: str | None = None,
    calendars: TaskCalendars | None = None,
    jitter_seconds: int = 0,
    is_saved: bool = True,
) -> Preview:
    """Return the next ``count`` ticks of ``spec`` after a moment (by default, now), and what is to be known of them.

    ``calendars`` are those of the task, in its zone; ``is_saved`` False means that the task has no id yet. Raises
    InvalidField, with the same sentences as saving the task does.
    """
    trigger = build_trigger(spec)
    if viewer_timezone is not None:
        _check_viewer(viewer_timezone)
    after = after or timezone.now()
    daylight = Daylight(spec)
    try:
        moments = next_fires(trigger, after, min(count, MOST_FIRES))
        fires = [_previewed(at, spec, daylight, viewer_timezone, calendars) for at in moments]
        left_out = daylight.left_out(after, moments[-1], limit=_MOST_LEFT_OUT) if moments else []
        a_day = fires_per_day(spec, trigger, after)
    except OverflowError:
        raise InvalidField("after", gettext_noop("This moment lies beyond the calendar.")) from None
    return Preview(
        words=trigger_words(spec),
        timezone=spec.timezone,
        viewer_timezone=viewer_timezone,
        fires=fires,
        left_out=[each.local for each in left_out],
        fires_per_day=a_day,
        notes=_notes(spec, moments, jitter_seconds, is_saved=is_saved),
    )


def preview_task(
    task: Task,
    *,
    count: int = 10,
    after: datetime | None = None,
    viewer_timezone: str | None = None,
    calendars: Iterable[Calendar] | None = None,
) -> Preview:
    """Return what `preview` says about the trigger of ``task``, saved or not; whether it is paused does not matter.

    ``calendars`` are those that it shall use; None: those that it uses. A single run that is given by its delay, and
    an interval without an anchor, count from now as long as the task is not saved. Raises InvalidField with the
    model's field name.
    """
    is_saved = task.pk is not None
    if not is_saved and task.trigger == TriggerKind.ONCE and task.run_at is None and task.delay_seconds is not None:
        task.run_at = timezone.now() + timedelta(seconds=task.delay_seconds)
    # The same check as when it is saved, with the same names of fields.
    trigger_of(task)
    fields = {name: getattr(task, name) for name in TRIGGER_FIELDS}
    if calendars is None:
        calendars = task.calendars.prefetch_related("rules") if is_saved else []
    read = [read_calendar(calendar) for calendar in calendars]
    return preview(
        spec_of_task(task_id=task.pk, created_at=task.created_at if is_saved else timezone.now(), **fields),
        count=count,
        after=after,
        viewer_timezone=viewer_timezone,
        calendars=TaskCalendars(read, task.timezone) if read else None,
        jitter_seconds=task.jitter_seconds,
        is_saved=is_saved,
    )


def trigger_words(spec: TriggerSpec) -> str:
    """Return the trigger as a sentence, in the active language."""
    match spec.kind:
        case TriggerKind.CRON:
            return cron_words(spec.cron_expression)
        case TriggerKind.INTERVAL:
            return _("Every %(length)s") % {"length": length_words(spec.every_seconds or 0)}
        case TriggerKind.FIXED_DELAY:
            return _("%(length)s after the previous run has ended") % {"length": length_words(spec.every_seconds or 0)}
        case TriggerKind.ONCE:
            return _("Once")
        case _:
            return _("Only by hand, by the API, or by code")


def length_words(seconds: float) -> str:
    """Return a length of time in the largest unit that expresses it exactly: 5 minutes, 36 hours, 1 day."""
    if seconds != int(seconds):
        return _("%(n)s seconds") % {"n": localize(seconds)}
    seconds = int(seconds)
    if seconds and seconds % 86_400 == 0:
        return ngettext("%(n)d day", "%(n)d days", seconds // 86_400) % {"n": seconds // 86_400}
    if seconds and seconds % 3600 == 0:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // 3600) % {"n": seconds // 3600}
    if seconds and seconds % 60 == 0:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // 60) % {"n": seconds // 60}
    return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}


def _check_viewer(name: str) -> None:
    try:
        find_zone(name)
    except InvalidField as error:
        raise InvalidField("viewer_timezone", error.message, error.params) from error


def _previewed(
    at: datetime, spec: TriggerSpec, daylight: Daylight, viewer: str | None, calendars: TaskCalendars | None
) -> PreviewedFire:
    local = at.astimezone(ZoneInfo(spec.timezone))
    marked = list(_daylight_marks(daylight.effect_on(at), local))
    blackout = calendars.blackout(at) if calendars is not None else None
    if blackout is not None:
        note = blackout.rule.note
        sentence = (
            _("Does not run: calendar “%(name)s”, %(note)s.") if note else _("Does not run: calendar “%(name)s”.")
        )
        marked.append(("blackout", sentence % {"name": blackout.calendar, "note": note}))
    return PreviewedFire(
        at=at,
        local=local,
        viewer=at.astimezone(ZoneInfo(viewer)) if viewer is not None else None,
        marks=tuple(mark for mark, _sentence in marked),
        notes=tuple(sentence for _mark, sentence in marked),
    )


def _daylight_marks(effect: ClockEffect | None, local: datetime) -> Sequence[tuple[str, str]]:
    if effect is None:
        return ()
    marks = [
        (
            "clock_change",
            _("The clock changes on this day, from %(before)s to %(after)s.")
            % {"before": offset_words(effect.before), "after": offset_words(effect.after)},
        )
    ]
    if effect.moved_from is not None:
        moved = _("%(time)s does not exist on this day; it runs at %(local)s.")
        marks.append(("moved", moved % {"time": _time(effect.moved_from), "local": _time(local)}))
    if effect.passage is not None:
        twice = _("%(time)s comes twice on this day; this is the first.")
        if effect.passage == 2:
            twice = _("%(time)s comes twice on this day; this is the second.")
        marks.append(("first_passage" if effect.passage == 1 else "second_passage", twice % {"time": _time(local)}))
    return marks


def offset_words(offset: timedelta) -> str:
    """Return a UTC offset as in UTC+05:30."""
    sign, minutes = ("-" if offset < timedelta(0) else "+"), abs(offset) // timedelta(minutes=1)
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def _time(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")


def _notes(spec: TriggerSpec, moments: Sequence[datetime], jitter_seconds: int, *, is_saved: bool) -> list[str]:
    notes = []
    if jitter_seconds and spec.kind != TriggerKind.MANUAL:
        notes.append(
            _("Each tick starts up to %(length)s later, always the same for a tick.")
            % {"length": length_words(jitter_seconds)}
        )
    if spec.kind == TriggerKind.CRON and uses_hash(spec.cron_expression) and not is_saved:
        notes.append(_("“H” is drawn from the task's id, so the times shown here are an example until it is saved."))
    if spec.kind == TriggerKind.FIXED_DELAY:
        notes.append(_("Every further run depends on when the one before it ends."))
    elif not moments and spec.kind != TriggerKind.MANUAL:
        notes.append(_("It never fires after this moment."))
    return notes
