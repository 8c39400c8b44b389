"""How the fields of a task's row describe its trigger: one reading, for schedulers and for people's forms."""

from __future__ import annotations

from datetime import datetime

from scheduling.domain.policies import TriggerKind
from scheduling.domain.triggers.registry import TriggerSpec


def spec_of_task(
    *,
    task_id: int | None,
    created_at: datetime | None,
    trigger: str,
    cron_expression: str,
    timezone: str,
    every_seconds: int | None,
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
