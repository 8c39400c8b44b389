"""How the fields of a task's row describe its trigger: one reading, for schedulers and for people's forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from scheduling.domain.errors import InvalidField
from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.registry import TriggerSpec, build_trigger


def spec_of_task(
    *,
    task_id: int | None,
    created_at: datetime | None,
    trigger: str,
    cron_expression: str,
    timezone: str,
    every_seconds: float | None,
    anchor_at: datetime | None,
    run_at: datetime | None,
    dst_gap: str,
    dst_fold: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
) -> TriggerSpec:
    """Return the specification of a task's trigger; ``task_id`` and ``created_at`` are None before it is saved.

    An interval without an anchor counts from the second in which the task was created.
    """
    anchor = anchor_at
    if anchor is None and created_at is not None:
        anchor = created_at.replace(microsecond=0)
    return TriggerSpec(
        kind=trigger,
        cron_expression=cron_expression,
        timezone=timezone,
        every_seconds=every_seconds,
        anchor=anchor if trigger == TriggerKind.INTERVAL else None,
        at=run_at,
        dst_gap=dst_gap,
        dst_fold=dst_fold,
        starts_at=starts_at,
        ends_at=ends_at,
        # Only an expression with H looks at it; leaving it out lets equal expressions share one computation.
        hash_id=str(task_id or 0) if "H" in cron_expression.upper() else "",
    )


#: The columns of a task that `spec_of_task` reads besides its id and its creation.
TRIGGER_FIELDS = (
    "trigger",
    "cron_expression",
    "timezone",
    "every_seconds",
    "anchor_at",
    "run_at",
    "dst_gap",
    "dst_fold",
    "starts_at",
    "ends_at",
)

_MOMENTS = ("anchor_at", "run_at", "starts_at", "ends_at")

#: Triggers whose ticks follow from what ran before, or from nothing at all.
_WITHOUT_TICKS = (TriggerKind.MANUAL, TriggerKind.FIXED_DELAY)


def trigger_of_stored(task_id: int, definition: Mapping[str, Any]) -> Trigger | None:
    """Return the trigger of a version as its revision stores it, moments as ISO texts.

    None when that version had no ticks that follow from its definition alone, or could not be read.
    """
    if definition.get("trigger") in _WITHOUT_TICKS:
        return None
    fields = {name: definition.get(name) for name in TRIGGER_FIELDS}
    moments = {name: _moment(definition.get(name)) for name in (*_MOMENTS, "created_at")}
    try:
        return build_trigger(spec_of_task(task_id=task_id, **{**fields, **moments}))  # type: ignore[arg-type] # as stored
    except (InvalidField, ValueError):
        return None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
