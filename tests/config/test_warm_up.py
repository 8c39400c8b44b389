"""What a web process has ready before it listens."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.processes import ROOT, environment

_PROBE = """
import json, sys
import config.asgi
from django.db import connection
from django.template import engines
from django.urls import get_resolver
compiled = [key for loader in engines["django"].engine.template_loaders for key in loader.get_template_cache]
print(json.dumps({
    "modules": sorted(sys.modules),
    "templates": compiled,
    "languages": sorted(get_resolver()._reverse_dict),
    "connected": connection.connection is not None,
}))
"""


@pytest.mark.processes
def test_a_web_process_that_takes_requests_has_addresses_languages_and_templates_ready_without_a_database() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE],
        cwd=ROOT,
        env=environment(
            DJANGO_SETTINGS_MODULE="config.settings_test", DATABASE_URL="postgresql://nobody@127.0.0.1:1/no"
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert {"config.urls", "scheduling.admin.task", "workers.admin.node", "scheduling.api.task_views"} <= {
        *found["modules"]
    }
    assert {
        "admin/index.html",
        "admin/scheduling/fleet_calendar.html",
        "unfold/layouts/base.html",
        "admin/change_list.html",
    } <= {*found["templates"]}
    assert {"en", "zh-hans"} <= {*found["languages"]}
    assert not found["connected"]
