"""pages: how long the admin's and the API's lists take with a long history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import Stuck
from config.benchmarks.history import fill_history
from config.benchmarks.work import make_task

#: Each list, under the name that its figures have.
PAGES = {
    "admin_tasks": "/admin/scheduling/task/",
    "admin_instances": "/admin/scheduling/taskinstance/",
    "admin_executions": "/admin/workers/execution/",
    "admin_nodes": "/admin/workers/node/",
    "api_tasks": "/api/v1/tasks/",
    "api_instances": "/api/v1/instances/",
    "api_executions": "/api/v1/executions/",
}

#: How often each is asked for in a repeat.
TIMES = 5


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Have a history, and a superuser who looks at it."""
    fill_history(stage.conn, make_task("past"), rows=stage["history"], partitions=stage["partitions"], tell=stage.tell)
    user = User.objects.create_superuser(username="benchmark", password=None)
    client = Client(SERVER_NAME=next(iter(settings.ALLOWED_HOSTS), "localhost"), raise_request_exception=True)
    client.force_login(user)
    for url in PAGES.values():
        _get(client, url)
    yield lambda: _ask(client)
    connection.close()


def _ask(client: Client) -> Figures:
    figures: Figures = {}
    for name, url in PAGES.items():
        figures[f"{name}_ms"] = min(_get(client, url) for _ in range(TIMES)) * 1000
        with CaptureQueriesContext(connection) as queries:
            _get(client, url)
        figures[f"{name}_queries"] = len(queries)
    figures["slowest_ms"] = max(value for name, value in figures.items() if name.endswith("_ms"))
    return figures


def _get(client: Client, url: str) -> float:
    began = time.perf_counter()
    response = client.get(url, secure=True)
    if response.status_code != 200:
        raise Stuck(f"{url} answered {response.status_code}.")
    return time.perf_counter() - began


PAGES_AT_SIZE = Benchmark(
    name="pages",
    about="how long each list of the admin and the API takes with a long history in many partitions",
    options={"history": 1_000_000, "partitions": 100},
    opened=opened,
    repeat=3,
    headline="slowest_ms",
    against="history",
    values=(0, 100_000, 1_000_000),
)
