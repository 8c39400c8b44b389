"""What a concurrency key's template becomes."""

from __future__ import annotations

from typing import Any

import pytest

from scheduling.domain.concurrency_key import places_of, render
from scheduling.domain.errors import InvalidField

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("template", "params", "key"),
    [
        ("nightly", {}, "nightly"),
        ("customer-{id}", {"id": 7}, "customer-7"),
        ("{order.customer}/{order.items.1}", {"order": {"customer": "ada", "items": ["a", "b"]}}, "ada/b"),
        ("{missing}-{nothing}-{a.b}", {"nothing": None, "a": "text"}, "--"),
        ("{yes}{half}", {"yes": True, "half": 0.5}, "true0.5"),
        ("{{id}}{{{id}}}", {"id": 7}, "{id}{7}"),
    ],
)
def test_a_template_is_filled_in_from_the_params(template: str, params: dict[str, Any], key: str) -> None:
    assert render(template, params) == key


def test_the_places_of_a_template_are_paths() -> None:
    assert places_of("{a}-{b.c}{{d}}") == [("a",), ("b", "c")]


@pytest.mark.parametrize("template", ["{", "}", "{a", "a}", "{{a}", "{}", "{a.}", "{a..b}", "{a b}", "{a{b}}"])
def test_a_template_with_a_lonely_brace_or_a_nameless_place_is_refused(template: str) -> None:
    with pytest.raises(InvalidField):
        places_of(template)
