"""A claim walks past dead entries at most now and then, and nothing below the watermark is left behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from scheduling.db import Connection, database_now
from scheduling.models import QueueEntry
from tests.engine.work import claimed_by, ready
from tests.factories import make_registration
from workers.engine.watermark import SLACK, TIMES, Watermark

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def claims(*sort_keys: Any) -> Any:
    return [SimpleNamespace(sort_key=each) for each in sort_keys]


def test_a_claim_that_begins_at_the_watermark_takes_what_comes_from_there_on(conn: Connection) -> None:
    ready(conn, 3)
    now = database_now(conn)
    first, second, third = QueueEntry.objects.order_by("pk").values_list("pk", flat=True)
    for place, pk in enumerate((first, second, third)):
        QueueEntry.objects.filter(pk=pk).update(sort_key=now + timedelta(seconds=place))
    node = make_registration(conn)
    found = claimed_by(conn, node, slots=3, since=now + timedelta(seconds=1))
    assert [each.instance_id for each in found] == [second, third]
    assert [each.instance_id for each in claimed_by(conn, node, slots=3)] == [first]


@pytest.mark.unit
def test_as_long_as_claims_are_quick_each_looks_from_the_beginning() -> None:
    mark = Watermark(Clock())
    mark.claimed(claims(NOON), since=None, seconds=0.001)
    assert mark.begin() is None


@pytest.mark.unit
def test_after_a_long_look_the_next_ones_begin_at_the_watermark_and_then_one_at_the_beginning() -> None:
    clock, now = Clock(), NOON
    mark = Watermark(clock)
    mark.claimed(claims(now, now - SLACK), since=None, seconds=0.1)
    assert mark.begin() == now - SLACK
    clock.now += 0.1 * TIMES - 0.01
    later = now + timedelta(seconds=5)
    mark.claimed(claims(later), since=now - SLACK, seconds=0.1)
    assert mark.begin() == later - SLACK
    # Only a look from the beginning says how long one takes, so the next is not put off by others.
    clock.now += 0.01
    assert mark.begin() is None


@pytest.mark.unit
def test_a_claim_of_many_may_take_its_time() -> None:
    mark = Watermark(Clock())
    mark.claimed(claims(*[NOON] * 500), since=None, seconds=0.2)
    assert mark.begin() is None
