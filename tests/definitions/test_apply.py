"""Files decide what is stored: as a whole, and without surprises."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.roles import Role
from scheduling.domain.param_secrets import MASK
from scheduling.models import Calendar, Task, TaskRevision
from scheduling.services import pause_task
from scheduling.services.definitions import (
    Applied,
    DefinitionsRefused,
    Outcome,
    apply_definitions,
    as_yaml,
    export_definitions,
    read_text,
)
from tests.factories import make_namespace, make_task, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("namespace")]

SHELL = "kind: task\nname: nightly\nhandler: shell\nparams: {command: 'true'}\n"
NIGHTLY = SHELL + "trigger: cron\ncron_expression: '@daily'\n"


def apply(text: str, *, as_json: bool = False, **options: Any) -> Applied:
    return apply_definitions(read_text(text, source="tasks.yaml", as_json=as_json), **options)


def refused(text: str, *, as_json: bool = False, **options: Any) -> list[str]:
    with pytest.raises(DefinitionsRefused) as error:
        apply(text, as_json=as_json, **options)
    return [str(problem) for problem in error.value.problems]


def run(*args: str) -> str:
    out = io.StringIO()
    call_command(*args, stdout=out, no_color=True)
    return out.getvalue()


def test_one_bad_task_among_many_refuses_them_all_and_every_place_is_named(tmp_path: Path) -> None:
    make_task(name="stored", description="before")
    (tmp_path / "good.yaml").write_text(
        "---\n".join(NIGHTLY.replace("nightly", f"good {number}") for number in range(20))
        + "---\nkind: task\nname: stored\nhandler: shell\nparams: {command: 'true'}\ndescription: after\n"
    )
    (tmp_path / "bad.yaml").write_text(
        f"{NIGHTLY}---\n"
        "kind: task\nname: bad\nhandler: htpp\ntrigger: cron\ncron_expression: '61 * * * *'\n"
        "max_attemps: 3\npriority: '5'\nparams: {}\n---\n"
        "kind: task\nnamespace: defualt\nname: lost\nhandler: shell\n"
    )
    (tmp_path / "worse.json").write_text('[{"kind": "tusk"}, {"kind": "task", "name": 5}')
    with pytest.raises(CommandError) as error:
        run("apply", "-f", str(tmp_path))
    told = str(error.value)
    bad = f"{tmp_path}/bad.yaml, document 2, task default/bad: "
    for line in (
        f"{bad}max_attemps: There is no such field. Did you mean “max_attempts”?",
        f"{bad}priority: This is a whole number.",
        f"{bad}handler: There is no handler “htpp”. Did you mean “http”?",
        f"{bad}cron_expression: The minute field cannot be “61”",
        f"{tmp_path}/bad.yaml, document 3, task defualt/lost: namespace: There is no namespace “defualt”",
        f"{tmp_path}/worse.json: This is not JSON: line 1",
    ):
        assert line in told, told
    assert "Nothing was applied" in told
    assert set(Task.objects.values_list("name", "description")) == {("stored", "before")}


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("kind: tusk\nname: a\n", "document 1: kind", "calendar, pool, task"),
        ("- 5\n", "document 1", "an object"),
        ("kind: task\n", "name", "needs a name"),
        ("kind: task\nname: 5\n", "name", "in quotes"),
        ("a: 1\na: 2\n", "tasks.yaml", "line 2, column 1: the key “a” comes twice"),
        ("a: [\n", "tasks.yaml", "not YAML"),
        ("a: 1\nb: !!timestamp x\n", "tasks.yaml", "line 2, column 4: this cannot be read as “timestamp”"),
        ("a: !!bool maybe\n", "tasks.yaml", "line 1, column 4: this cannot be read as “bool”"),
        ("a: !!int ''\n", "tasks.yaml", "line 1, column 4: this cannot be read as “int”"),
        ("a: " + "9" * 5000 + "\n", "tasks.yaml", "line 1, column 4: this cannot be read as “int”"),
        (NIGHTLY + "---\n" + NIGHTLY, "document 2, task default/nightly: name", "defined twice"),
        (NIGHTLY + "starts_at: 2026-01-01T00:00:00\n", "starts_at", "needs a time zone"),
        (NIGHTLY + "starts_at: soon\n", "starts_at", "looks like"),
        (NIGHTLY + "enabled: on\n", "enabled", "true or false"),
        (NIGHTLY + "max_attempts: null\n", "max_attempts", "null"),
        (NIGHTLY + "owner: me\n", "owner", "no such field"),
        (NIGHTLY + "calendars: [holidays]\n", "calendars", "no calendar “holidays”"),
        (NIGHTLY + "calendars: holidays\n", "calendars", "list of names"),
        (NIGHTLY.replace("'true'", '"a\\0b"'), "params", "Null characters"),
        (NIGHTLY.replace("'true'", "&a [*a]"), "params", "nested too deep"),
        (NIGHTLY.replace("'true'", "!!timestamp 2026-01-01"), "params", "neither a text"),
        ("kind: calendar\nname: c\nrules: [{efect: blackout}]\n", "rules.0.efect", "“effect”"),
        ("kind: calendar\nname: c\nrules: [{kind: moons}]\n", "rules.0", "moons"),
        ("kind: calendar\nname: c\nrules: [{first_day: tomorrow}]\n", "rules.0.first_day", "2026-12-31"),
        (
            NIGHTLY.replace("cron\n", "once\n") + "delay_seconds: 5\nrun_at: 2050-01-01T00:00:00Z\n",
            "run_at",
            "not both",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, sentence: str) -> None:
    problems = refused(text)
    assert any(place in each and sentence in each for each in problems), problems
    assert not Task.objects.exists()
    assert not Calendar.objects.exists()


def test_a_small_text_cannot_become_a_huge_value() -> None:
    levels = "\n".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]" for n in range(1, 40))
    assert "too large" in refused(f"k0: &k0 x\n{levels}\n")[0]
    merges = "\n".join(f"k{n}: &k{n} {{<<: [{', '.join([f'*k{n - 1}'] * 9)}]}}" for n in range(1, 40))
    assert "too large" in refused(f"k0: &k0 {{x: 1}}\n{merges}\n")[0]


def test_a_field_that_is_not_given_is_its_default_except_that_a_pause_stays() -> None:
    apply(NIGHTLY + "priority: 7\ndescription: was said once\n")
    task = Task.objects.get()
    assert task.enabled
    pause_task(task)
    again = apply(NIGHTLY)
    task.refresh_from_db()
    assert (task.priority, task.description, task.enabled) == (0, "", False)
    assert again.count(Outcome.CHANGED) == 1
    apply(NIGHTLY + "enabled: true\n")
    task.refresh_from_db()
    assert task.enabled


def test_applying_twice_changes_nothing_and_makes_no_new_version() -> None:
    text = NIGHTLY + "---\nkind: calendar\nname: c\nrules: [{kind: weekdays, weekdays: [7]}]\n"
    assert apply(text).count(Outcome.CREATED) == 2
    rules = list(Calendar.objects.get().rules.values_list("pk", flat=True))
    assert apply(text).count(Outcome.UNCHANGED) == 2
    assert TaskRevision.objects.count() == 1
    assert list(Calendar.objects.get().rules.values_list("pk", flat=True)) == rules


def test_a_delay_counts_from_when_it_was_first_given() -> None:
    text = "kind: task\nname: later\nhandler: shell\nparams: {command: 'true'}\ntrigger: once\ndelay_seconds: 3600\n"
    apply(text)
    run_at = Task.objects.get().run_at
    assert run_at is not None
    assert run_at > timezone.now() + timedelta(minutes=50)
    assert not apply(text).changes_something
    assert Task.objects.get().run_at == run_at
    apply(text.replace("3600", "7200"))
    moved = Task.objects.get().run_at
    assert moved is not None
    assert moved > run_at


def test_prune_deletes_what_has_left_the_files_and_nothing_of_anybody_else() -> None:
    make_task(name="by hand")
    make_task(name="theirs", owner="others")
    apply(f"{NIGHTLY}---\n{NIGHTLY.replace('nightly', 'weekly')}", owner="ops")
    assert apply(NIGHTLY, owner="ops").count(Outcome.PRUNED) == 0
    pruned = apply(NIGHTLY, owner="ops", prune=True)
    assert [each.subject for each in pruned.changes if each.outcome is Outcome.PRUNED] == ["task default/weekly"]
    assert set(Task.objects.values_list("name", "owner")) == {("by hand", ""), ("theirs", "others"), ("nightly", "ops")}


def test_prune_needs_an_owner_and_at_least_one_definition() -> None:
    make_task(name="kept", owner="ops")
    assert "owner" in refused(NIGHTLY, prune=True)[0]
    assert "every task would be deleted" in refused("", owner="ops", prune=True)[0]
    assert Task.objects.count() == 1


def test_two_sets_of_files_cannot_fight_over_a_task() -> None:
    apply(NIGHTLY, owner="ops")
    assert "belongs to the files of “ops”" in refused(NIGHTLY, owner="dev")[0]
    apply(NIGHTLY + "priority: 1\n")
    assert Task.objects.get().owner == "ops"


def test_a_dry_run_shows_a_diff_and_changes_nothing() -> None:
    apply(NIGHTLY, owner="ops")
    make_task(name="old", owner="ops")
    shown = apply(NIGHTLY + "priority: 1\n---\nkind: calendar\nname: c\n", owner="ops", prune=True, dry_run=True)
    diffs = {each.subject: each.diff for each in shown.changes}
    assert "+priority: 1\n" in diffs["task default/nightly"]
    assert diffs["task default/nightly"].startswith(
        "--- stored/task/default/nightly\n+++ files/task/default/nightly\n@@ "
    )
    assert diffs["calendar default/c"].startswith("--- /dev/null\n")
    assert "-name: old\n" in diffs["task default/old"]
    assert set(Task.objects.values_list("name", "priority")) == {("nightly", 0), ("old", 0)}
    assert not Calendar.objects.exists()


def test_a_calendar_and_the_tasks_that_need_it_may_change_together() -> None:
    calendar = "kind: calendar\nname: c\nrules: [{kind: hours, from_time: '%s', until_time: '%s'}]\n---\n"
    task = NIGHTLY + "calendars: [c]\n"
    apply(calendar % ("09:00", "10:00") + task)
    hours = calendar % ("23:00", "01:00")
    assert any("No tick within a year" in each for each in refused(hours + task))
    assert any("no tick within a year" in each for each in refused(hours))
    apply(hours + task.replace("@daily", "0 12 * * *"))
    assert str(Calendar.objects.get().rules.get().until_time) == "01:00:00"


SECRET = (
    "kind: task\nname: call\nhandler: http\nparams:\n  url: https://example.org/\n  auth: {type: bearer, token: %s}\n"
)


def test_a_secret_is_never_exported_and_its_mask_keeps_it() -> None:
    apply(SECRET % "hush-hush")
    text = as_yaml(export_definitions())
    assert "hush" not in text
    assert MASK in text
    apply(text.replace("example.org", "example.com"))
    params = Task.objects.get().params
    assert (params["url"], params["auth"]["token"]) == ("https://example.com/", "hush-hush")
    changed = apply(SECRET % "another", dry_run=True).changes[0].diff
    assert "hush" not in changed
    assert "another one" in changed
    Task.objects.all().delete()
    (problem,) = refused(text)
    assert problem.startswith("tasks.yaml, document 1, task default/call: params.auth.token: ")
    assert problem.endswith("none is stored here; write the secret.")


def test_shared_parts_may_be_written_once() -> None:
    apply(
        "- {kind: task, name: a, <<: &shared {handler: shell, params: {command: 'true'}, priority: 3}}\n"
        "- {kind: task, name: b, <<: *shared, priority: 4}\n"
    )
    assert list(Task.objects.order_by("name").values_list("priority", flat=True)) == [3, 4]


def test_only_an_administrator_of_the_namespace_may_apply_and_others_namespaces_do_not_exist() -> None:
    make_namespace("other")
    operator, administrator = make_user(default=Role.OPERATOR), make_user(default=Role.ADMINISTRATOR)
    with pytest.raises(PermissionDenied):
        apply(NIGHTLY, actor=operator)
    assert "no namespace" in refused(NIGHTLY + "namespace: other\n", actor=administrator)[0]
    make_task(name="theirs", namespace="other", owner="ops")
    apply(NIGHTLY, owner="ops", prune=True, actor=administrator)
    assert Task.objects.filter(name="theirs").exists()


def test_the_commands_say_what_they_did_and_end_with_its_code(tmp_path: Path) -> None:
    file = tmp_path / "tasks.yaml"
    file.write_text(NIGHTLY)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as check:
        run("apply", "-f", str(file), "--check")
    assert check.value.code == 2
    assert not Task.objects.exists()
    assert run("apply", "-f", str(file)).splitlines() == [
        "created   task default/nightly",
        "1 created, 0 changed, 0 unchanged, 0 pruned",
    ]
    assert "dry run" in run("apply", "-f", str(file), "--check")
    written = tmp_path / "out.json"
    run("export", "-o", str(written), "--format", "json")
    assert "0 created, 0 changed, 1 unchanged" in run("apply", "-f", str(written))
    assert run("export", "--task", "nightly").startswith("---\nkind: task\nnamespace: default\nname: nightly\n")
    with pytest.raises(CommandError, match="no such task: daily"):
        run("export", "--task", "daily")
    with pytest.raises(CommandError, match="owner"):
        run("apply", "-f", str(file), "--prune")
    with pytest.raises(CommandError, match="no definition file"):
        run("apply", "-f", str(tmp_path / "empty"))
    with pytest.raises(CommandError, match="cannot be read"):
        run("apply", "-f", str(tmp_path / "missing.yaml"))
