"""From the fields of a task to its trigger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from scheduling.domain.errors import InvalidField, gettext_noop
from scheduling.domain.moments import check_moment
from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import BoundedTrigger
from scheduling.domain.triggers.cron import DstFold, DstGap, cron_trigger
from scheduling.domain.triggers.fixed_delay import FixedDelayTrigger
from scheduling.domain.triggers.interval import IntervalTrigger
from scheduling.domain.triggers.manual import ManualTrigger
from scheduling.domain.triggers.once import OnceTrigger
from scheduling.domain.triggers.walk import next_fires
from scheduling.domain.triggers.zone import find_zone

__all__ = ["TriggerSpec", "build_trigger", "next_fires"]

#: What the multiples of an interval are counted from when nothing else is given.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Shorter intervals are for other tools: each tick costs rows.
MIN_EVERY_SECONDS = 0.1
#: A hundred years; longer intervals are typing errors.
MAX_EVERY_SECONDS = 100 * 366 * 24 * 60 * 60

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerSpec:
    """What a task says about its fire times. Fields that its kind does not use are ignored.

    ``starts_at`` and ``ends_at`` bound the fires of every kind; both belong to them. ``anchor`` defaults to
    1970-01-01 UTC. ``hash_id`` is what ``H`` in a cron expression is drawn from.
    """

    kind: str
    cron_expression: str = ""
    timezone: str = "UTC"
    every_seconds: float | None = None
    anchor: datetime | None = None
    at: datetime | None = None
    dst_gap: str = DstGap.RUN_AFTER_GAP
    dst_fold: str = DstFold.FIRST
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    hash_id: str = ""


@lru_cache(maxsize=1 << 14)
def build_trigger(spec: TriggerSpec) -> Trigger:
    """Return the trigger for a specification; equal specifications share one.

    Raises InvalidField with the name of the wrong field.
    """
    builder = _BUILDERS.get(spec.kind)
    if builder is None:
        raise InvalidField("kind", gettext_noop("“%(kind)s” is not a kind of trigger."), {"kind": spec.kind})
    find_zone(spec.timezone)
    for name in ("anchor", "at", "starts_at", "ends_at"):
        moment: datetime | None = getattr(spec, name)
        if moment is not None:
            check_moment(name, moment)
    if spec.starts_at is not None and spec.ends_at is not None and spec.ends_at < spec.starts_at:
        raise InvalidField("ends_at", gettext_noop("The end lies before the start."))
    trigger = builder(spec)
    if spec.starts_at is None and spec.ends_at is None:
        return trigger
    return BoundedTrigger(trigger, spec.starts_at, spec.ends_at)


def _build_cron(spec: TriggerSpec) -> Trigger:
    gap = _choice(DstGap, "dst_gap", spec.dst_gap)
    fold = _choice(DstFold, "dst_fold", spec.dst_fold)
    return cron_trigger(spec.cron_expression, spec.timezone, gap, fold, spec.hash_id)


def _build_interval(spec: TriggerSpec) -> Trigger:
    if spec.every_seconds is None:
        raise InvalidField("every_seconds", gettext_noop("Say how many seconds lie between two fires."))
    message = gettext_noop("The interval must be between %(least)s and %(limit)d seconds.")
    return IntervalTrigger(_length(spec.every_seconds, message), spec.anchor or EPOCH)


def _build_fixed_delay(spec: TriggerSpec) -> Trigger:
    if spec.every_seconds is None:
        raise InvalidField(
            "every_seconds", gettext_noop("Say how many seconds lie between the end of one instance and the next.")
        )
    message = gettext_noop("The delay must be between %(least)s and %(limit)d seconds.")
    return FixedDelayTrigger(_length(spec.every_seconds, message), spec.starts_at)


def _length(seconds: float, message: str) -> timedelta:
    if not MIN_EVERY_SECONDS <= seconds <= MAX_EVERY_SECONDS:
        raise InvalidField("every_seconds", message, {"least": MIN_EVERY_SECONDS, "limit": MAX_EVERY_SECONDS})
    if round(seconds, 3) != seconds:
        raise InvalidField("every_seconds", gettext_noop("At most three decimals: milliseconds."))
    return timedelta(seconds=seconds)


def _build_once(spec: TriggerSpec) -> Trigger:
    if spec.at is None:
        raise InvalidField("at", gettext_noop("Say when it fires."))
    return OnceTrigger(spec.at)


def _build_manual(spec: TriggerSpec) -> Trigger:
    return ManualTrigger()


# Looked up with plain strings: a member of StrEnum equals its value.
_BUILDERS: dict[str, Callable[[TriggerSpec], Trigger]] = {
    TriggerKind.CRON: _build_cron,
    TriggerKind.INTERVAL: _build_interval,
    TriggerKind.FIXED_DELAY: _build_fixed_delay,
    TriggerKind.ONCE: _build_once,
    TriggerKind.MANUAL: _build_manual,
}


def _choice(choices: type[Choice], field: str, value: str) -> Choice:
    try:
        return choices(value)
    except ValueError as error:
        raise InvalidField(
            field,
            gettext_noop("“%(value)s” is not one of %(choices)s."),
            {"value": value, "choices": ", ".join(choices)},
        ) from error
