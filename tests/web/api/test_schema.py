"""The API describes itself, and its page needs no other site."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client as DjangoClient

from config.api_schema import schema_in
from tests.support.processes import manage


@pytest.fixture
def schema(db: None) -> Any:
    return DjangoClient().get("/api/v1/schema/", headers={"Accept": "application/json"}).json()


@pytest.mark.django_db(transaction=True)
def test_the_schema_is_valid_openapi_without_a_warning() -> None:
    done = manage("spectacular", "--fail-on-warn", "--validate")
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr


def test_every_operation_has_a_name_a_summary_and_a_tag(schema: Any) -> None:
    operations = [
        (path, method, operation) for path, methods in schema["paths"].items() for method, operation in methods.items()
    ]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names))
    assert {"list_tasks", "create_task", "run_task", "cancel_instance", "rerun_instance", "read_log"} <= set(names)
    for path, method, operation in operations:
        assert operation.get("summary"), (path, method)
        assert len(operation["tags"]) == 1, (path, method)


def test_every_operation_but_the_log_in_asks_for_a_token_or_a_session(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            schemes = {name for choice in operation.get("security", []) for name in choice}
            expected = set() if "/auth/" in path else {"jwtAuth", "cookieAuth"}
            assert schemes == expected, (path, method)
            assert "401" in operation["responses"], (path, method)


def test_running_shows_examples_and_the_key(schema: Any) -> None:
    run = schema["paths"]["/api/v1/tasks/{id}/run/"]["post"]
    assert run["requestBody"]["content"]["application/json"]["examples"]
    assert run["responses"]["400"]["content"]["application/json"]["examples"]
    assert "Idempotency-Key" in {parameter["name"] for parameter in run["parameters"]}
    assert {"200", "201", "403", "404"} <= set(run["responses"])


def test_the_page_loads_nothing_from_another_site_and_runs_no_inline_script(db: None) -> None:
    page = DjangoClient().get("/api/docs/").content.decode()
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(loaded) >= 4
    for address in loaded:
        parts = urlsplit(address)
        assert not parts.netloc, address
        if parts.path.startswith("/static/"):
            assert finders.find(parts.path.removeprefix("/static/")), address
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    (script,) = [address for address in loaded if address.startswith("/api/docs/")]
    answer = DjangoClient().get(script)
    assert answer.headers["Content-Type"].startswith("application/javascript")
    text = answer.content.decode()
    assert re.findall(r"https?://", text) == []
    # Left to itself, the page would send the schema's address to a validator on another site.
    assert '"validatorUrl": null' in text


def test_the_style_sheet_of_the_page_asks_for_nothing_more(db: None) -> None:
    path = finders.find("drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css")
    assert isinstance(path, str)
    with open(path, encoding="utf-8") as file:
        asked_for = re.findall(r"url\(\s*[\"']?((?:https?:)?//[^)\"']+)", file.read())
    assert asked_for == []


def test_the_schema_is_made_once_for_each_language(db: None) -> None:
    def asked_in(language: str) -> bytes:
        headers = {"Accept": "application/json", "Accept-Language": language}
        return DjangoClient().get("/api/v1/schema/", headers=headers).content

    english, chinese = asked_in("en"), asked_in("zh-hans")
    made = schema_in.cache_info().misses
    assert (asked_in("en"), asked_in("zh-hans")) == (english, chinese)
    assert english != chinese
    assert schema_in.cache_info().misses == made
