"""What schedulers remember of tasks."""

from __future__ import annotations

import pytest

from scheduling.db import Connection
from scheduling.runtime import definitions as module
from scheduling.runtime.definitions import Definitions
from tests.factories import make_task


def test_when_too_much_is_known_nothing_that_was_just_asked_about_is_forgotten(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 3)
    ids = [make_task(trigger="interval", every_seconds=60).pk for _ in range(4)]
    rows = conn.execute("SELECT id, xmin::text FROM rota_task ORDER BY id").fetchall()
    known = Definitions()
    known.learn(conn, rows[:2])
    known.learn(conn, rows)
    assert [known.get(each) is not None for each in ids] == [True] * 4
