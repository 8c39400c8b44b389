"""Two who store the same thing at once: one of them does, the other is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from scheduling.models import Task
from scheduling.services.definitions import DefinitionsRefused, Outcome, apply_definitions, read_text
from tests.factories import make_namespace, make_task
from tests.support.threads import at_once
from tests.support.waiting import WAITING_FOR_A_LOCK, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "".join(
    f"---\nkind: task\nname: task {number}\nhandler: shell\nparams: {{command: 'true'}}\n" for number in range(10)
)


def apply() -> int:
    try:
        return apply_definitions(read_text(TEXT, source="test", as_json=False)).count(Outcome.CREATED)
    finally:
        connection.close()


def test_a_set_that_is_applied_twice_at_once_is_stored_once() -> None:
    make_namespace()
    assert sorted(at_once(apply, apply)) == [0, 10]
    assert Task.objects.count() == 10


def test_a_name_that_somebody_takes_meanwhile_refuses_the_whole_set() -> None:
    make_namespace()
    stored, looked = threading.Event(), threading.Event()

    def store() -> None:
        try:
            with transaction.atomic():
                make_task(name="task 7")
                stored.set()
                assert looked.wait(30)
        finally:
            connection.close()

    def is_blocked() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(WAITING_FOR_A_LOCK)
            return bool(cursor.fetchone()[0])

    with ThreadPoolExecutor(2) as pool:
        storing = pool.submit(store)
        assert stored.wait(30)
        applying = pool.submit(apply)
        try:
            wait_until(is_blocked, what="the apply waits for the name")
        finally:
            looked.set()
        storing.result()
        with pytest.raises(DefinitionsRefused) as refused:
            applying.result()
    assert "at the same moment" in str(refused.value.problems[0])
    assert Task.objects.get().name == "task 7"
