"""Which results can be kept, held against PostgreSQL itself."""

import json
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.outcome import MAX_RESULT_BYTES, MAX_RESULT_DEPTH, UnstorableResult, checked_result


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


STORABLE = [
    *(None, True, 0, -1.5, "", "ünï😀", "\x01\x1f\x7f", "\\u0000", [], {}, {"": [None, {"a": 1}]}),
    *(10**3999, 1e308, 5e-324, (1, 2), nested(MAX_RESULT_DEPTH), "x" * (MAX_RESULT_BYTES - 2)),
]


@pytest.mark.django_db
@pytest.mark.parametrize("value", STORABLE, ids=lambda value: repr(value)[:20])
def test_what_passes_can_be_stored_and_comes_back_the_same(value: Any) -> None:
    text = checked_result(value)
    with connection.cursor() as cursor:
        cursor.execute("SELECT CAST(%s AS jsonb) = CAST(CAST(%s AS jsonb)::text AS jsonb)", [text, text])
        assert cursor.fetchone() == (True,)

    assert json.loads(text) == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": {1, 2}}, "result_not_json"),
        (b"bytes", "result_not_json"),
        ({1: "a"}, "result_not_json"),
        (float("nan"), "result_not_json"),
        ([float("-inf")], "result_not_json"),
        ("\ud800", "result_not_json"),
        ({"\udc00": 1}, "result_not_json"),
        (10**4000, "result_not_json"),
        (nested(MAX_RESULT_DEPTH + 1), "result_not_json"),
        (nested(100_000), "result_not_json"),
        ("a\x00b", "result_has_nul"),
        ({"a\x00": 1}, "result_has_nul"),
        ("x" * (MAX_RESULT_BYTES - 1), "result_too_large"),
        ("ü" * (MAX_RESULT_BYTES // 2), "result_too_large"),
    ],
    ids=lambda value: repr(value)[:20] if isinstance(value, str | float | int) else type(value).__name__,
)
def test_what_cannot_be_stored_is_refused_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(UnstorableResult) as caught:
        checked_result(value)

    assert caught.value.reason == reason
    assert str(caught.value) == caught.value.message % caught.value.params


def test_a_result_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(UnstorableResult):
        checked_result(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_every_value_is_either_refused_or_comes_back_the_same(value: Any) -> None:
    try:
        text = checked_result(value)
    except UnstorableResult:
        return
    assert json.loads(text) == value
    assert "\\u0000" not in text.replace("\\\\", "")
