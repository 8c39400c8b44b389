"""The task form: made from the handler's schema, answered beside the field, and nothing half-saved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from scheduling.domain.param_secrets import MASK
from scheduling.models import Task
from tests.factories import make_namespace, make_task, make_user
from tests.web.admin.task_post import add, errors, fields
from workers.functions import task as register
from workers.models import Connection

pytestmark = pytest.mark.django_db


@register(name="tests.double")
def double(number: int) -> int:
    """A function to choose."""
    return number * 2


FORMS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "http": (
        {
            "param_method": "POST",
            "param_url": "https://shop.example/orders",
            "param_headers": "Accept: application/json\nX-Colon: a:b",
            "param_json": '{"since": [1, 2]}',
            "param_expected_statuses": "200\n300-308",
            "param_follow_redirects": "on",
            "param_max_response_bytes": "65536",
        },
        {
            "method": "POST",
            "url": "https://shop.example/orders",
            "headers": {"Accept": "application/json", "X-Colon": "a:b"},
            "json": {"since": [1, 2]},
            "expected_statuses": ["200", "300-308"],
            "verify_tls": False,
        },
    ),
    "shell": (
        {"param_command": "echo one\necho two", "param_env": "LEVEL: 3", "param_stdin": ""},
        {"command": "echo one\necho two", "env": {"LEVEL": "3"}},
    ),
    "sql": (
        {
            "param_connection": "sales",
            "param_statement": "SELECT :n",
            "param_parameters": '{"n": 1}',
            "param_read_only": "on",
            "param_max_rows": "5",
        },
        {"connection": "sales", "statement": "SELECT :n", "parameters": {"n": 1}, "read_only": True, "max_rows": 5},
    ),
    "python": (
        {"param_function": "tests.double", "param_kwargs": '{"number": 21}'},
        {"function": "tests.double", "kwargs": {"number": 21}},
    ),
}


@pytest.mark.parametrize("handler", FORMS)
def test_a_task_of_each_handler_is_created_by_its_form(root: Client, handler: str) -> None:
    posted, params = FORMS[handler]
    Connection.objects.create(namespace=make_namespace(), name="sales", url="sqlite://")

    response = add(root, handler, **posted)

    assert response.status_code == 302
    made = Task.objects.get(name="new")
    assert (made.handler, made.params, made.trigger) == (handler, params, "manual")


@pytest.mark.parametrize("handler", FORMS)
def test_saving_a_task_as_it_stands_makes_no_new_version(root: Client, handler: str) -> None:
    posted, params = FORMS[handler]
    Connection.objects.create(namespace=make_namespace(), name="sales", url="sqlite://")
    add(root, handler, **posted)
    made = Task.objects.get(name="new")
    url = reverse("admin:scheduling_task_change", args=[made.pk])
    form = root.get(url).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}

    response = root.post(
        url, {name: "" if value is None else value for name, value in shown.items() if value is not False}
    )

    assert response.status_code == 302, errors(response)
    made.refresh_from_db()
    assert (made.version, made.params) == (1, params)


def test_a_new_task_begins_with_the_choice_of_a_handler(root: Client) -> None:
    page = root.get(reverse("admin:scheduling_task_add")).content.decode()

    assert all(f'href="?handler={name}"' in page for name in FORMS)


def test_the_form_has_a_field_for_each_param_with_its_description(root: Client) -> None:
    make_namespace()
    Connection.objects.create(namespace=make_namespace(), name="sales", url="sqlite://")

    form = root.get(f"{reverse('admin:scheduling_task_add')}?handler=sql").context["adminform"].form

    assert form.fields["param_statement"].required
    assert not form.fields["param_max_rows"].required
    assert form["param_max_rows"].value() == 1000
    assert "Values are written :name" in form.fields["param_statement"].help_text
    assert '<option value="sales">' in str(form["param_connection"])


def test_the_function_of_a_python_task_is_chosen_from_the_registered_ones(root: Client) -> None:
    form = root.get(f"{reverse('admin:scheduling_task_add')}?handler=python").context["adminform"].form

    assert ("tests.double", "tests.double") in form.fields["param_function"].choices


@pytest.mark.parametrize(
    ("handler", "over", "field", "words"),
    [
        ("shell", {"trigger": "cron", "cron_expression": "61 * * * *"}, "cron_expression", "61"),
        ("shell", {"trigger": "cron", "cron_expression": ""}, "cron_expression", ""),
        ("shell", {"timezone": "Europe/Nowhere"}, "timezone", "Europe/Nowhere"),
        ("shell", {"trigger": "interval"}, "every_seconds", "how many seconds"),
        ("shell", {"trigger": "interval", "every_seconds": "soon"}, "every_seconds", "number"),
        ("shell", {"trigger": "interval", "every_seconds": "0.05"}, "every_seconds", "between 0.1 and"),
        ("shell", {"trigger": "once", "run_at_0": "2001-01-01", "run_at_1": "00:00"}, "run_at", "has passed"),
        ("shell", {"name": ""}, "name", "required"),
        ("shell", {"name": "a/b"}, "name", "slash"),
        ("shell", {"priority": "101"}, "priority", "100"),
        ("shell", {"param_command": ""}, "param_command", "Either a command or arguments"),
        ("shell", {"param_argv": "ls"}, "param_command", "not both"),
        ("shell", {"param_env": "LEVEL"}, "param_env", "Line 1"),
        ("shell", {"param_env": "ROTA_TASK: x"}, "param_env", "ROTA_"),
        ("http", {"param_url": ""}, "param_url", "required"),
        ("http", {"param_url": "ftp://shop.example"}, "param_url", "http"),
        ("http", {"param_json": '{"a": }'}, "param_json", "line 1, column 7"),
        ("http", {"param_expected_statuses": "200\n999"}, "param_expected_statuses", "1: "),
        ("http", {"param_max_response_bytes": "-1"}, "param_max_response_bytes", "0"),
        ("http", {"param_auth": '{"type": "basic"}'}, "param_auth", "user: "),
        ("python", {"param_function": "tests.triple"}, "param_function", "tests.triple"),
        ("python", {"param_kwargs": '{"numbr": 1}'}, "param_kwargs", "did you mean number"),
        ("sql", {"param_statement": " "}, "param_statement", ""),
        ("sq", {"params": "{}"}, "handler", "Did you mean “sql”"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_saved(
    root: Client, handler: str, over: dict[str, str], field: str, words: str
) -> None:
    posted = FORMS.get(handler, ({}, {}))[0]

    response = add(root, handler, **{**posted, **over})

    found = errors(response)
    assert list(found) == [field]
    assert words in found[field][0]
    assert escape(found[field][0], quote=False) in response.content.decode().replace("&#x27;", "'").replace(
        "&quot;", '"'
    )
    assert not Task.objects.exists()


def test_a_wrong_edit_leaves_the_task_as_it_was(root: Client) -> None:
    task = make_task(name="old")

    response = root.post(
        reverse("admin:scheduling_task_change", args=[task.pk]),
        fields("shell", name="renamed", param_command="true", trigger="cron", cron_expression="nonsense"),
    )

    assert list(errors(response)) == ["cron_expression"]
    task.refresh_from_db()
    assert (task.name, task.trigger, task.version) == ("old", "manual", 1)


def test_a_name_that_is_taken_is_said_beside_the_name(root: Client) -> None:
    make_task(name="new")

    response = add(root, "shell", param_command="true")

    assert errors(response) == {"name": ["A task with this name exists in this namespace."]}


def test_a_fixed_delay_keeps_its_length(root: Client) -> None:
    add(root, "shell", param_command="true", trigger="fixed_delay", every_seconds="30")

    assert Task.objects.get(name="new").every_seconds == 30


def test_an_interval_may_be_shorter_than_a_second_and_is_shown_as_it_was_given(root: Client) -> None:
    add(root, "shell", param_command="true", trigger="interval", every_seconds="0.25")
    made = Task.objects.get(name="new")
    assert made.every_seconds == 0.25
    page = root.get(reverse("admin:scheduling_task_change", args=[made.pk]))
    assert page.context["adminform"].form["every_seconds"].value() == 0.25
    assert "every 0.25 s" in root.get(reverse("admin:scheduling_task_changelist")).content.decode()


def test_what_a_trigger_does_not_use_is_not_stored(root: Client) -> None:
    add(root, "shell", param_command="true", trigger="interval", every_seconds="30", cron_expression="@daily")

    made = Task.objects.get(name="new")
    assert (made.every_seconds, made.cron_expression) == (30, "")


def test_a_password_in_params_is_never_shown_and_stays_when_its_mask_comes_back(root: Client) -> None:
    auth = {"type": "basic", "user": "ada", "password": "s3cret"}
    task = make_task(name="old", handler="http", params={"url": "https://shop.example/", "auth": auth})
    url = reverse("admin:scheduling_task_change", args=[task.pk])

    page = root.get(url)
    shown = page.context["adminform"].form["param_auth"].value()
    root.post(
        url,
        fields(
            "http",
            name="old",
            param_url="https://shop.example/",
            param_auth=shown.replace("ada", "bob"),
            param_method="GET",
            param_verify_tls="on",
            param_follow_redirects="on",
        ),
    )

    assert "s3cret" not in page.content.decode()
    assert MASK in shown
    task.refresh_from_db()
    assert task.params["auth"] == {"type": "basic", "user": "bob", "password": "s3cret"}


def test_a_task_whose_handler_is_gone_can_be_opened_and_the_handler_is_named_on_saving(root: Client) -> None:
    task = make_task(name="old", handler="fax", params={"number": "1"})
    url = reverse("admin:scheduling_task_change", args=[task.pk])

    page = root.get(url)
    response = root.post(url, fields("fax", name="old", params='{"number": "1"}'))

    assert page.status_code == 200
    assert "There is no handler “fax”" in errors(response)["handler"][0]


def test_of_a_task_whose_handler_is_gone_only_the_keys_are_shown_and_no_mask_is_stored(root: Client) -> None:
    params = {"number": "5550100", "pin": 4711, "deep": {"list": ["s3cret", ""]}}
    task = make_task(name="old", handler="fax", params=params)
    Task.objects.filter(pk=task.pk).update(params={**params, "number": "5550199"})
    url = reverse("admin:scheduling_task_change", args=[task.pk])

    page = root.get(url)
    shown = page.context["adminform"].form["params"].value()
    refused = root.post(url, fields("fax", name="old", params=shown))
    pages = [page, refused, *(root.get(url.replace("change/", part)) for part in ("revisions/", "run_with/"))]

    assert [each.status_code for each in pages] == [200] * 4
    assert [secret for secret in ("55501", "4711", "s3cret") for each in pages if secret in each.content.decode()] == []
    assert "number" in page.content.decode()
    assert refused.context["adminform"].form.instance.params == {**params, "number": "5550199"}
    assert Task.objects.get().params == {**params, "number": "5550199"}


def test_the_saved_task_shows_its_next_five_fires(root: Client) -> None:
    task = make_task(trigger="cron", cron_expression="0 9 * * *", timezone="Asia/Shanghai")

    page = root.get(reverse("admin:scheduling_task_change", args=[task.pk]))

    assert len(page.context["fires"]) == 5
    assert all("09:00:00 CST" in fire for fire in page.context["fires"])


def test_somebody_may_only_create_tasks_where_they_administer(login: Callable[[User], Client]) -> None:
    make_namespace("mine")
    client = login(make_user(mine=Role.ADMINISTRATOR, default=Role.OPERATOR))

    response = add(client, "shell", param_command="true")

    assert list(errors(response)) == ["namespace"]
    assert not Task.objects.exists()


def test_a_viewer_sees_a_task_without_its_secrets_and_cannot_change_it(login: Callable[[User], Client]) -> None:
    auth = {"type": "bearer", "token": "s3cret"}
    task = make_task(handler="http", params={"url": "https://shop.example/", "auth": auth})
    client = login(make_user(default=Role.VIEWER))
    url = reverse("admin:scheduling_task_change", args=[task.pk])

    page = client.get(url)
    refused = client.post(url, fields("http", name="renamed", param_url="https://shop.example/"))

    assert page.status_code == 200
    assert "https://shop.example/" in page.content.decode()
    assert "s3cret" not in page.content.decode()
    assert refused.status_code == 403
    assert client.get(reverse("admin:scheduling_task_add")).status_code == 403


def test_a_moment_that_nobody_moved_stays_as_it_is_to_its_last_digit(root: Client) -> None:
    passed = datetime(2020, 3, 1, 8, 0, 0, 123_456, tzinfo=UTC)
    task = make_task(name="new", trigger="once", run_at=passed)
    over = {"param_command": "true", "trigger": "once", "run_at_0": "2020-03-01", "run_at_1": "08:00:00"}
    address = reverse("admin:scheduling_task_change", args=[task.pk])

    assert root.post(address, fields("shell", description="more", **over)).status_code == 302
    task.refresh_from_db()
    assert (task.description, task.run_at) == ("more", passed)

    moved = root.post(address, fields("shell", **{**over, "run_at_1": "08:00:01"}))
    assert "has passed" in errors(moved)["run_at"][0]
