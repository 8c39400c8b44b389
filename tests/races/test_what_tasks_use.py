"""A task begins to use what somebody deletes or moves at the same moment: in both orders the later one is refused."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from scheduling.models import Calendar, CalendarRule, Pool, Task
from scheduling.services import delete_calendar, delete_pool, save_calendar, save_pool, save_task
from tests.factories import make_namespace, make_task
from tests.races.orders import connections
from tests.support.waiting import WAITING_FOR_A_LOCK, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Call = Callable[[], object]


def in_turn(first: Call, second: Call) -> list[str]:
    """Begin ``second`` before ``first`` commits, and return what it was told; empty when it did as it was asked."""

    def told() -> list[str]:
        try:
            second()
        except ValidationError as error:
            return list(error.messages)
        finally:
            connection.close()
        return []

    # Another connection watches: within a transaction the sessions stay as they were when it first looked.
    with connections(1) as (watch,), ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            begun = pool.submit(told)

            def waits_or_is_done() -> bool:
                row = watch.execute(WAITING_FOR_A_LOCK).fetchone()
                return begun.done() or bool(row and row[0])

            wait_until(waits_or_is_done, what="the second waits for the first, or is through")
        return begun.result()


def a_calendar() -> Calendar:
    calendar = Calendar(namespace=make_namespace(), name="holidays")
    return save_calendar(calendar, [CalendarRule(kind="weekdays", weekdays=[7])])


def moved(calendar: Calendar) -> Calendar:
    calendar = Calendar.objects.get(pk=calendar.pk)
    calendar.namespace = make_namespace("elsewhere")
    return save_calendar(calendar)


def moved_pool(pool: Pool) -> Pool:
    pool = Pool.objects.get(pk=pool.pk)
    pool.namespace = make_namespace("elsewhere")
    return save_pool(pool)


@pytest.mark.parametrize(
    ("verb", "sentence"), [(delete_calendar, "is used by “t”"), (moved, "Tasks of its namespace use it")]
)
def test_a_calendar_that_a_task_begins_to_use_stays(verb: Callable[[Calendar], object], sentence: str) -> None:
    task, calendar = make_task(name="t"), a_calendar()
    make_namespace("elsewhere")
    (told,) = in_turn(lambda: save_task(task, calendars=[calendar]), lambda: verb(calendar))
    assert sentence in told
    assert [each.namespace.name for each in task.calendars.all()] == ["default"]


@pytest.mark.parametrize(
    ("verb", "sentence"), [(delete_calendar, "was deleted meanwhile"), (moved, "of another namespace")]
)
def test_a_task_does_not_begin_to_use_a_calendar_that_goes(verb: Callable[[Calendar], object], sentence: str) -> None:
    task, calendar = make_task(name="t"), a_calendar()
    same = Calendar.objects.get(pk=calendar.pk)
    (told,) = in_turn(lambda: verb(calendar), lambda: save_task(task, calendars=[same]))
    assert sentence in told
    assert not task.calendars.exists()


@pytest.mark.parametrize(
    ("verb", "sentence"), [(delete_pool, "is used by “t”"), (moved_pool, "Tasks of its namespace use it")]
)
def test_a_pool_that_a_task_begins_to_use_stays(verb: Callable[[Pool], object], sentence: str) -> None:
    task, pool = make_task(name="t"), Pool.objects.create(namespace=make_namespace(), name="p", slots=1)
    make_namespace("elsewhere")
    task.pool = pool
    (told,) = in_turn(lambda: save_task(task), lambda: verb(pool))
    assert sentence in told
    assert Task.objects.get(pool=pool).pool is not None


@pytest.mark.parametrize(
    ("verb", "sentence"), [(delete_pool, "was deleted meanwhile"), (moved_pool, "of another namespace")]
)
def test_a_task_does_not_begin_to_use_a_pool_that_goes(verb: Callable[[Pool], object], sentence: str) -> None:
    task, pool = make_task(name="t"), Pool.objects.create(namespace=make_namespace(), name="p", slots=1)
    task.pool = Pool.objects.get(pk=pool.pk)
    (told,) = in_turn(lambda: verb(pool), lambda: save_task(task))
    assert sentence in told
    assert not Task.objects.filter(pool__isnull=False).exists()


def test_a_calendar_in_use_stays_in_its_namespace_and_one_that_nobody_uses_may_go() -> None:
    calendar = a_calendar()
    task = make_task()
    save_task(task, calendars=[calendar])
    with pytest.raises(ValidationError, match="it stays there"):
        moved(calendar)
    save_task(task, calendars=[])
    assert moved(calendar).namespace.name == "elsewhere"
