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
from workers.engine.claim import Place
from workers.engine.watermark import IN_ORDER_SECONDS, MANY, SLACK, TIMES, Watermark

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def claims(*sort_keys: Any) -> Any:
    return [SimpleNamespace(sort_key=each, instance_id=place) for place, each in enumerate(sort_keys, 1)]


def test_a_claim_that_begins_at_the_watermark_takes_what_comes_from_there_on(conn: Connection) -> None:
    ready(conn, 3)
    now = database_now(conn)
    first, second, third = QueueEntry.objects.order_by("pk").values_list("pk", flat=True)
    for place, pk in enumerate((first, second, third)):
        QueueEntry.objects.filter(pk=pk).update(sort_key=now + timedelta(seconds=place))
    node = make_registration(conn)
    found = claimed_by(conn, node, slots=3, since=Place(now + timedelta(seconds=1)))
    assert [each.instance_id for each in found] == [second, third]
    assert [each.instance_id for each in claimed_by(conn, node, slots=3)] == [first]


def test_a_claim_can_go_on_exactly_where_one_before_has_ended(conn: Connection) -> None:
    ready(conn, 3)
    now = database_now(conn)
    QueueEntry.objects.update(sort_key=now)
    first, second, third = QueueEntry.objects.order_by("pk").values_list("pk", flat=True)
    found = claimed_by(conn, make_registration(conn), slots=3, since=Place(now, second))
    assert [each.instance_id for each in found] == [second, third]
    assert QueueEntry.objects.get(state=0).pk == first


@pytest.mark.unit
def test_as_long_as_claims_are_quick_and_small_each_looks_from_the_beginning() -> None:
    mark = Watermark(Clock())
    assert not mark.claimed(claims(NOON), slots=1, since=None, seconds=0.001)
    assert mark.begin() is None


@pytest.mark.unit
def test_after_a_long_look_the_next_ones_begin_at_the_watermark_and_then_one_at_the_beginning() -> None:
    clock, now = Clock(), NOON
    mark = Watermark(clock)
    mark.claimed(claims(now - SLACK, now), slots=8, since=None, seconds=0.1)
    assert mark.begin() == Place(now - SLACK)
    clock.now += 0.1 * TIMES - 0.01
    later = now + timedelta(seconds=5)
    assert not mark.claimed(claims(later), slots=8, since=Place(now - SLACK), seconds=0.1)
    assert mark.begin() == Place(later - SLACK)
    # Only a look from the beginning says how long one takes, so the next is not put off by others.
    clock.now += 0.01
    assert mark.begin() is None


@pytest.mark.unit
def test_a_claim_of_many_may_take_its_time() -> None:
    mark = Watermark(Clock())
    mark.claimed(claims(*[NOON] * 500), slots=600, since=None, seconds=0.04)
    assert mark.begin() is None


@pytest.mark.unit
def test_a_backlog_is_taken_in_its_order_and_now_and_then_from_the_beginning() -> None:
    clock = Clock()
    mark = Watermark(clock)
    end = Place(NOON, MANY)
    assert not mark.claimed(claims(*[NOON] * MANY), slots=MANY, since=None, seconds=0.001)
    assert mark.begin() == end
    clock.now += IN_ORDER_SECONDS - 0.001
    further = [SimpleNamespace(sort_key=NOON, instance_id=MANY + each) for each in range(1, MANY + 1)]
    # It ended after the time was over; only a look from the beginning opens another such time.
    clock.now += 0.001
    assert not mark.claimed(further, slots=MANY, since=end, seconds=0.001)  # type: ignore[arg-type] # they stand for claims
    assert mark.begin() is None


@pytest.mark.unit
def test_at_the_end_of_a_backlog_what_came_in_before_it_is_looked_for_at_once() -> None:
    mark = Watermark(Clock())
    mark.claimed(claims(*[NOON] * MANY), slots=MANY, since=None, seconds=0.001)
    assert mark.claimed([], slots=MANY, since=mark.begin(), seconds=0.001)
    assert mark.begin() is None
    assert not mark.claimed([], slots=MANY, since=None, seconds=0.001)
