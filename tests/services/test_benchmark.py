"""manage.py benchmark measures what it says, and refuses what it cannot."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command


def test_planning_decides_about_every_task_and_ends_with_json() -> None:
    out = StringIO()
    call_command("benchmark", "planning", "--tasks", "60", "--expressions", "7", "--repeat", "2", "--json", stdout=out)
    lines = out.getvalue().splitlines()
    assert sum("60 ticks, CPU" in line for line in lines) == 2
    found = json.loads(lines[-1])
    assert (found["tasks"], found["expressions"]) == (60, 7)
    assert found["next_fires_min"] <= found["next_fires_seconds"] <= found["next_fires_max"]


def test_more_expressions_than_tasks_are_refused() -> None:
    with pytest.raises(CommandError, match="no more than tasks"):
        call_command("benchmark", "planning", "--tasks", "5", "--expressions", "7")
