"""What a scheduler and a worker carry with them: not the console."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.processes import ROOT, environment

_PROBE = """
import sys
from django.core.management import execute_from_command_line
try:
    execute_from_command_line(["manage.py", sys.argv[1], "--help"])
except SystemExit:
    pass
print("loaded:", *sorted(sys.modules))
"""

_COUNT = """
import django
django.setup()
from django.core import checks
from django.contrib import admin
assert not admin.site._registry
checks.run_checks(tags=["admin"])
print(len(admin.site._registry))
"""


@pytest.mark.processes
@pytest.mark.parametrize("command", ["runscheduler", "runworker", "checkqueue"])
def test_a_command_that_shows_no_pages_imports_none(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, command],
        cwd=ROOT,
        env=environment(DJANGO_SETTINGS_MODULE="config.settings"),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    assert "scheduling.models" in loaded
    assert not loaded & {"config.urls", "scheduling.admin", "workers.admin", "rest_framework.views", "sqlalchemy"}


@pytest.mark.processes
def test_djangos_checks_still_look_at_every_page() -> None:
    found = subprocess.run(
        [sys.executable, "-c", _COUNT],
        cwd=ROOT,
        env=environment(DJANGO_SETTINGS_MODULE="config.settings"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(found.stdout) > 5
