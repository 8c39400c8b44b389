"""The database renders a concurrency key as pages show it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduling.db import Connection
from scheduling.domain.concurrency_key import render

PARAMS: dict[str, Any] = {"id": 7, "yes": True, "none": None, "order": {"customer": "Ада", "items": [1, "b"]}}


@pytest.mark.parametrize(
    "template",
    [
        "nightly",
        "customer-{id}",
        "{order.customer}/{order.items.1}/{order.items.9}",
        "{order.items}{order}",
        "{missing}{none}{id.x}-",
        "{yes}",
        "{{id}}{{{id}}}",
        "100 %{id}\\d",
    ],
)
def test_the_database_and_the_pages_render_one_key(conn: Connection, template: str) -> None:
    row = conn.execute("SELECT rota_rendered(%s, %s::jsonb)", [template, json.dumps(PARAMS)]).fetchone()
    assert row == (render(template, PARAMS),)
