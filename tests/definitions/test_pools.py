"""Pools as definitions: they travel with their tasks, and a task's pool is a name that must exist."""

from __future__ import annotations

import pytest

from scheduling.models import Pool, Task
from scheduling.services.definitions import (
    Applied,
    DefinitionsRefused,
    apply_definitions,
    as_yaml,
    export_definitions,
    read_text,
)
from tests.factories import make_namespace, make_task

pytestmark = pytest.mark.django_db

TEXT = """\
---
kind: pool
namespace: default
name: database
slots: 4
description: |
  four
  connections
---
kind: task
namespace: default
name: report
handler: shell
params:
  command: 'true'
concurrency_key: report-{env.CUSTOMER}
pool: database
pool_weight: 2
max_attempts: 4
retry_backoff: list
retry_delays:
  - 10
  - 60
retry_on:
  - 5xx
  - '75'
give_up_on:
  - shop.errors.Busy
soft_timeout_seconds: 5
max_memory_mb: 256
"""


@pytest.fixture(autouse=True)
def _namespace() -> None:
    make_namespace()


def apply(text: str, **options: object) -> Applied:
    return apply_definitions(read_text(text, source="test", as_json=False), **options)  # type: ignore[arg-type] # a test's shorthand


def problems(text: str) -> list[str]:
    with pytest.raises(DefinitionsRefused) as refused:
        apply(text)
    return [str(each) for each in refused.value.problems]


def test_a_pool_and_its_tasks_travel_together_and_come_back_as_the_same_bytes() -> None:
    apply(TEXT)
    task = Task.objects.get()
    assert task.pool == Pool.objects.get(name="database", slots=4)
    assert (task.retry_delays, task.retry_on) == ([10, 60], ["5xx", "75"])
    assert as_yaml(export_definitions()) == TEXT
    assert as_yaml(export_definitions(names=["report"])) == TEXT
    assert not apply(TEXT).changes_something


def test_the_pool_may_stand_behind_its_task_and_a_changed_one_shows_its_diff() -> None:
    first, second = TEXT.split("---\n")[1:]
    apply(f"---\n{second}---\n{first}")
    (change,) = [each for each in apply(TEXT.replace("slots: 4", "slots: 3"), dry_run=True).changes if each.diff]
    assert change.subject == "pool default/database"
    assert "-slots: 4\n+slots: 3\n" in change.diff
    assert Pool.objects.get().slots == 4


def test_an_unknown_pool_is_a_problem_at_its_place_with_the_near_one() -> None:
    wrong = TEXT.replace("pool: database", "pool: databse")
    assert problems(wrong) == [
        (
            "test, document 2, task default/report: pool: There is no pool “databse” in this namespace. "
            "Did you mean “database”?"
        )
    ]
    assert not Pool.objects.exists()


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("slots: 4", "slots: many", "pool default/database: slots: This is a whole number."),
        ("slots: 4", "slot: 4", "pool default/database: slot: There is no such field. Did you mean “slots”?"),
        ("slots: 4", "slots: 1", "task default/report: pool_weight: The pool “database” has 1 slots"),
        ("pool: database", "pool: 5", "task default/report: pool: This is a name"),
        ("  - 10", "  - soon", "task default/report: retry_delays: This is a whole number."),
        ("  - 5xx", "  - 9xx", "task default/report: retry_on: “9xx” names no kind of failure"),
        ("env.CUSTOMER", "customer", "task default/report: concurrency_key: The params have no “customer”"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_nothing_is_stored(old: str, new: str, place: str) -> None:
    found = problems(TEXT.replace(old, new))
    assert any(place in each for each in found), found
    assert not Pool.objects.exists()
    assert not Task.objects.exists()


def test_prune_deletes_tasks_and_leaves_pools() -> None:
    apply(TEXT, owner="sales")
    apply("{kind: task, name: other, handler: shell, params: {command: 'true'}}", owner="sales", prune=True)
    assert list(Task.objects.values_list("name", flat=True)) == ["other"]
    assert Pool.objects.exists()


def test_a_file_that_no_longer_names_the_pool_takes_the_task_out_of_it() -> None:
    pool = Pool.objects.create(namespace=make_namespace(), name="database")
    make_task(name="report", pool=pool)
    apply("{kind: task, name: report, handler: shell, params: {command: 'true'}}")
    assert Task.objects.get().pool is None
