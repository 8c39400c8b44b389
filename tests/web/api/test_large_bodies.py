"""A body is read only so far as somebody may be served for it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts.api.serializers import MOST_HINTS
from accounts.roles import Role
from tests.factories import make_namespace, make_user
from tests.web.api.client import Client, client_of

MEBIBYTE = 1024 * 1024


def test_a_large_body_is_refused_before_it_is_read_as_json(api: Client) -> None:
    body = json.dumps({"username": "x" * 3 * MEBIBYTE}).encode()
    for client, path in ((Client(), "auth/token/"), (api, "tasks/")):
        answer = client.request("POST", path, body)
        assert answer.status == 413, answer.text
        assert answer.json["detail"] == "The body is larger than 2621440 bytes."


def test_definitions_may_be_larger_and_not_endless(api: Client) -> None:
    assert api.request("POST", "definitions/apply/", b" " * 3 * MEBIBYTE + b"[]").status == 400
    answer = api.request("POST", "definitions/apply/", b" " * 9 * MEBIBYTE)
    assert (answer.status, answer.json) == (413, {"detail": "The body is larger than 8388608 bytes."})


def test_definitions_of_somebody_who_administers_nothing_are_not_read(history: None) -> None:
    make_namespace()
    operator = client_of(make_user(default=Role.OPERATOR))
    answer = operator.request("POST", "definitions/apply/", b"{")
    assert (answer.status, list(answer.json)) == (403, ["detail"])


def test_of_many_unknown_fields_each_is_named_and_the_first_few_get_a_hint(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    real: Callable[..., list[str]] = difflib.get_close_matches

    def counted(*args: Any, **kwargs: Any) -> list[str]:
        nonlocal asked
        asked += 1
        return real(*args, **kwargs)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    problems = api.post("tasks/", {f"max_attempt_{number}": 1 for number in range(100)}).problems()
    unknown = [sentences for name, sentences in problems.items() if name.startswith("max_attempt_")]
    assert (len(unknown), asked) == (100, MOST_HINTS)
    assert sum("Did you mean “max_attempts”?" in sentences[0] for sentences in unknown) == MOST_HINTS
