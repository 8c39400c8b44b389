"""What people do to definitions, and what is refused before anything is stored."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.utils import timezone

from accounts.roles import Role
from scheduling.db import Connection
from scheduling.models import Task, TaskInstance
from scheduling.selectors import upcoming_fires, visible_tasks
from scheduling.services import (
    cancel_instances,
    delete_task,
    duplicate_task,
    pause_task,
    resume_task,
    run_task_now,
    save_task,
)
from scheduling.services.definitions import apply_definitions, read_text
from tests.factories import make_namespace, make_task, make_user
from tests.support.threads import at_once
from workers.models import Connection as SqlConnection

pytestmark = pytest.mark.django_db(transaction=True)


def unsaved(**over: Any) -> Task:
    fields: dict[str, Any] = {
        "name": "new",
        "namespace": make_namespace(),
        "handler": "shell",
        "params": {"command": "true"},
        "trigger": "manual",
    }
    return Task(**{**fields, **over})


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"trigger": "cron", "cron_expression": "61 * * * *"}, "cron_expression"),
        ({"trigger": "cron", "cron_expression": ""}, "cron_expression"),
        ({"trigger": "cron", "cron_expression": "0 0 30 2 *"}, "cron_expression"),
        ({"trigger": "cron", "cron_expression": "* * * * *", "timezone": "Mars/Olympus"}, "timezone"),
        ({"trigger": "interval"}, "every_seconds"),
        ({"trigger": "once"}, "run_at"),
        ({"trigger": "sometimes"}, "trigger"),
        ({"handler": "teleport"}, "handler"),
        ({"handler": "http", "params": {}}, "params"),
        ({"params": {"command": "true", "colour": "red"}}, "params"),
        ({"params": []}, "params"),
        ({"handler": "python", "params": {"function": "no.such"}}, "params"),
        ({"name": " padded "}, "name"),
        ({"name": ""}, "name"),
        ({"priority": 101}, "priority"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"queue": "no spaces"}, "queue"),
    ],
)
def test_a_definition_that_is_not_sound_is_refused_by_field_and_not_stored(over: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        save_task(unsaved(**over))
    assert field in refused.value.message_dict
    assert not Task.objects.exists()


def test_a_moment_that_has_passed_is_refused_for_a_new_single_run_and_kept_for_an_old_one() -> None:
    past = timezone.now() - timedelta(hours=1)
    with pytest.raises(ValidationError, match="has passed"):
        save_task(unsaved(trigger="once", run_at=past))
    finished = make_task(trigger="once", run_at=past)
    finished.description = "only the description was edited"
    assert save_task(finished).version == 2


def test_a_delay_becomes_a_moment() -> None:
    before = timezone.now()
    task = save_task(unsaved(trigger="once", delay_seconds=90))
    assert task.run_at is not None
    assert timedelta(0) <= task.run_at - before - timedelta(seconds=90) < timedelta(seconds=60)


def test_names_are_unique_within_a_namespace_only() -> None:
    save_task(unsaved())
    with pytest.raises(ValidationError, match="exists in this namespace"):
        save_task(unsaved())
    save_task(unsaved(namespace=make_namespace("other")))


def test_upcoming_fires_need_no_saved_task() -> None:
    task = unsaved(trigger="cron", cron_expression="0 9 * * 1-5", timezone="Europe/Berlin")
    fires = upcoming_fires(task, count=3)
    assert len(fires) == 3
    assert all(moment.astimezone().tzinfo and moment > timezone.now() for moment in fires)


def test_a_duplicate_is_a_paused_copy_under_a_free_name() -> None:
    task = make_task(name="nightly", trigger="cron", cron_expression="0 3 * * *")
    first, second = duplicate_task(task), duplicate_task(task)
    assert (first.name, second.name) == ("nightly (copy)", "nightly (copy 2)")
    assert not first.enabled
    assert first.cron_expression == task.cron_expression
    assert Task.objects.get(pk=task.pk).enabled


def test_no_set_of_definitions_owns_a_copy_and_none_deletes_it() -> None:
    task = make_task(name="nightly", owner="files")
    copy = duplicate_task(task)
    assert (copy.owner, Task.objects.get(pk=task.pk).owner) == ("", "files")
    documents = read_text(
        "kind: task\nname: nightly\nhandler: shell\nparams: {command: 'true'}\n", source="test", as_json=False
    )
    apply_definitions(documents, owner="files", prune=True)
    assert Task.objects.filter(pk=copy.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_copies_of_one_task_and_of_its_namesakes_that_are_made_at_once_have_names_of_their_own() -> None:
    stem = "n" * 180
    tasks = [make_task(name=stem + ending) for ending in ("a", "b")]

    def copied(task: Task) -> str:
        try:
            return duplicate_task(task).name
        finally:
            connection.close()

    names = at_once(*[partial(copied, task) for task in tasks * 3])
    assert sorted(names) == sorted([f"{stem} (copy)", *[f"{stem} (copy {number})" for number in range(2, 7)]])


def test_deleting_a_task_cancels_what_waits_and_keeps_the_history(conn: Connection) -> None:
    task = make_task()
    instance = run_task_now(task)
    delete_task(task)
    kept = TaskInstance.objects.get(pk=instance.pk)
    assert kept.outcome == "cancelled"
    assert task.name in kept.message


def test_each_role_may_do_what_it_says_and_nothing_more() -> None:
    task = make_task()
    viewer, operator, administrator, stranger = (
        make_user(default=Role.VIEWER),
        make_user(default=Role.OPERATOR),
        make_user(default=Role.ADMINISTRATOR),
        make_user(other=Role.ADMINISTRATOR),
    )
    assert list(visible_tasks(viewer)) == [task]
    assert list(visible_tasks(stranger)) == []
    for somebody in (viewer, stranger):
        for verb in (pause_task, resume_task, run_task_now):
            with pytest.raises(PermissionDenied):
                verb(task, actor=somebody)
    for somebody in (viewer, operator, stranger):
        with pytest.raises(PermissionDenied):
            save_task(task, actor=somebody)
        with pytest.raises(PermissionDenied):
            delete_task(task, actor=somebody)
    pause_task(task, actor=operator)
    resume_task(task, actor=operator)
    instance = run_task_now(task, actor=operator)
    with pytest.raises(PermissionDenied):
        cancel_instances([instance], actor=viewer)
    assert cancel_instances([instance], actor=operator).cancelled == [instance.pk]
    save_task(task, actor=administrator)


def test_nobody_can_move_a_task_out_of_a_namespace_that_is_not_theirs() -> None:
    task = make_task()
    thief = make_user(other=Role.ADMINISTRATOR)
    task.namespace = make_namespace("other")
    with pytest.raises(PermissionDenied):
        save_task(task, actor=thief)


def test_a_task_stays_in_its_namespace_where_the_readers_of_its_history_are() -> None:
    task = make_task()
    task.namespace = make_namespace("other")
    with pytest.raises(ValidationError) as refused:
        save_task(task, actor=make_user(default=Role.ADMINISTRATOR, other=Role.ADMINISTRATOR))
    assert refused.value.message_dict.keys() == {"namespace"}
    assert Task.objects.get(pk=task.pk).namespace.name == "default"


def test_a_word_that_a_field_does_not_know_is_answered_with_those_that_it_knows(conn: Connection) -> None:
    with pytest.raises(ValidationError) as refused:
        save_task(unsaved(overlap="sometimes"))
    (sentence,) = refused.value.message_dict["overlap"]
    assert sentence.startswith("“sometimes” is none of these: ")
    assert "queue_one" in sentence


@pytest.mark.parametrize(
    ("known", "hint"),
    [
        ([], "It has none yet: an administrator adds one under Connections."),
        (["orders", "sales"], "Did you mean “orders”?"),
        (["x", "sales"], "There are: sales, x."),
    ],
)
def test_an_sql_task_names_a_connection_of_its_own_namespace(conn: Connection, known: list[str], hint: str) -> None:
    SqlConnection.objects.create(namespace=make_namespace("others"), name="order", url="sqlite://")
    for name in known:
        SqlConnection.objects.create(namespace=make_namespace(), name=name, url="sqlite://")
    task = unsaved(handler="sql", params={"connection": "order", "statement": "SELECT 1"})
    with pytest.raises(ValidationError) as refused:
        save_task(task)
    assert refused.value.message_dict == {
        "params": [f"connection: There is no connection “order” in this namespace. {hint}"]
    }
    SqlConnection.objects.create(namespace=make_namespace(), name="order", url="sqlite://")
    save_task(task)
    with pytest.raises(ValidationError, match="There is no connection “gone”"):
        run_task_now(task, params={"connection": "gone"})
