"""Maintainer: a chore that a scheduler does now and then. Any scheduler may do it, even at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

from psycopg import sql

from scheduling.db import Connection

#: An SQL expression that is true or false; with values in it, composed.
Condition = LiteralString | sql.Composable


@dataclass(kw_only=True, slots=True)
class Chores:
    """What one run of a maintainer did, and whom it concerns."""

    #: How many rows it changed, for the log line.
    count: int = 0
    #: Queues that got something to claim.
    queues: set[str] = field(default_factory=set)
    #: Gates and pools that got room, or have something new that waits.
    gates: set[int] = field(default_factory=set)
    pools: set[int] = field(default_factory=set)
    #: Whether something waits for its moment now that did not before.
    delayed: bool = False
    #: When there is more to do soon; None: at the ordinary interval.
    again_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintainer:
    """A named chore with its interval; idempotent, so that several schedulers need no leader."""

    name: str
    every_seconds: float
    run: Callable[[Connection], Chores]
    #: False when there is nothing to do, so that one question answers for many chores.
    needed: Condition | None = None


def that_are_needed(conn: Connection, chores: Sequence[Maintainer]) -> list[Maintainer]:
    """Return those of ``chores`` that have something to do, or that only find out when they run; in their order."""
    asked = [_composed(chore.needed) for chore in chores if chore.needed is not None]
    if not asked:
        return list(chores)
    answers = iter(conn.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(asked))).fetchone() or ())
    return [chore for chore in chores if chore.needed is None or next(answers)]


def _composed(condition: Condition) -> sql.Composable:
    return condition if isinstance(condition, sql.Composable) else sql.SQL(condition)
