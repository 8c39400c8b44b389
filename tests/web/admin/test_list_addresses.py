"""A list can be narrowed by its filters and its search, and by nothing else that somebody writes into the address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from tests.factories import make_namespace, make_task, make_user
from workers.models import Connection

admin.autodiscover()
ADMINS = {model._meta.label_lower: each for model, each in admin.site._registry.items()}


def _address(label: str, view: str = "changelist") -> str:
    return reverse(f"admin:{label.replace('.', '_')}_{view}")


def _rows(response: Any) -> list[Any]:
    found: list[Any] = list(response.context["cl"].result_list)
    return found


def _lookups(model_admin: Any) -> list[tuple[str, str]]:
    columns = [field.name for field in model_admin.model._meta.fields if not field.is_relation]
    kinds = ("contains", "regex", "isnull")
    # Each column in one way, and each way with some column: each request takes its time.
    by_column = [(f"{name}__{kinds[place % len(kinds)]}", "x") for place, name in enumerate(columns)]
    relations = [(f"{field.name}__pk__gt", "0") for field in model_admin.model._meta.fields if field.is_relation]
    return [*by_column, *relations, (columns[-1], "\x00"), ("nonsense", "1"), ("nonsense__deep__er", "1")]


@pytest.mark.parametrize("label", sorted(ADMINS))
def test_no_list_answers_a_lookup_that_is_none_of_its_filters(root: Client, label: str) -> None:
    address = _address(label)
    lookups = _lookups(ADMINS[label])
    declared = {param for spec in root.get(address).context["cl"].filter_specs for param in spec.expected_parameters()}
    refused = [(name, value) for name, value in lookups if name not in declared]
    for name, value in refused:
        answer = root.get(address, {name: value})
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{address}?e=1"), name
    shown = root.get(f"{address}?e=1").content.decode()
    assert "nothing that this list can be filtered by" in shown
    assert "nonsense" in shown


@pytest.mark.parametrize("label", sorted(ADMINS))
def test_nothing_in_the_address_of_a_list_is_a_server_error(root: Client, label: str) -> None:
    address = _address(label)
    specs = root.get(address).context["cl"].filter_specs
    params = {"q", "p", "o", "e", "all", *(param for spec in specs for param in spec.expected_parameters())}
    for param in sorted(params):
        for value in ("\x00", "9" * 30):
            assert root.get(address, {param: value}).status_code in {200, 302}, (param, value)


def test_a_viewer_cannot_guess_secrets_by_the_address(login: Callable[[User], Client]) -> None:
    Connection.objects.create(namespace=make_namespace(), name="sales", url="postgresql://u:abc@h/d")
    make_task(handler="http", params={"url": "http://h/", "auth": {"type": "bearer", "token": "abc"}})
    viewer = login(make_user(default=Role.VIEWER))
    guesses = {
        "workers.connection": [("url__startswith", "postgresql://u:a"), ("url__startswith", "postgresql://u:b")],
        "scheduling.task": [("params__auth__token__startswith", "a"), ("params__auth__token__startswith", "b")],
    }
    for label, pairs in guesses.items():
        answers = [viewer.get(_address(label), {name: value}, follow=True) for name, value in pairs]
        assert [len(_rows(answer)) for answer in answers] == [1, 1]


def test_a_file_is_not_made_of_rows_that_were_not_asked_for(root: Client) -> None:
    answer = root.get(_address("scheduling.task", "export"), {"params__contains": "x"}, follow=True)
    assert answer.redirect_chain == [("../", 302)]
    assert "nothing that this list can be filtered by" in answer.content.decode()


def test_every_link_of_a_list_is_one_that_it_takes(root: Client) -> None:
    make_task(name="one")
    for label in ADMINS:
        address = _address(label)
        for query in sorted(set(re.findall(r'href="(\?[^"#]+)"', root.get(address).content.decode()))):
            answer = root.get(address + query.replace("&amp;", "&"))
            assert answer.status_code == 200, (label, query)
