"""pages: how long each page and list of the admin and the API takes in an installation of some size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.models import User
from config.benchmarks.addresses import MAY_BE_UNAVAILABLE, addresses
from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import Stuck
from config.benchmarks.installation import furnish
from config.benchmarks.statements import statements_sent
from config.warm_up import warm_up

#: How often each is asked for in a repeat; the best time counts, as nothing else may then be going on.
TIMES = 3

#: What a page may cost: milliseconds, and statements.
MOST_MS, MOST_QUERIES = 200, 15


@contextmanager
def opened(stage: Stage) -> Iterator[Callable[[], Figures]]:
    """Have an installation, and a superuser who looks at it."""
    known = furnish(
        stage.conn, tasks=stage["tasks"], history=stage["history"], partitions=stage["partitions"], tell=stage.tell
    )
    pages = addresses(known)
    user = User.objects.create_superuser(username="benchmark", password=None)
    client = Client(SERVER_NAME=next(iter(settings.ALLOWED_HOSTS), "localhost"), raise_request_exception=True)
    client.force_login(user)
    # As a web process does before it listens.
    warm_up()
    first = {f"{name}_first_ms": _get(client, name, url) * 1000 for name, url in pages.items()}
    slow = {name: value for name, value in first.items() if value > MOST_MS}
    at_first = {**slow, "over_200_ms_first": len(slow), "slowest_first_ms": max(first.values())}
    yield lambda: {**_ask(client, pages, stage.tell), **at_first}
    connection.close()


def _ask(client: Client, pages: Mapping[str, str], tell: Callable[[float], None]) -> Figures:
    figures: Figures = {}
    for number, (name, url) in enumerate(pages.items()):
        tell(number / len(pages))
        figures[f"{name}_ms"] = min(_get(client, name, url) for _ in range(TIMES)) * 1000
        with statements_sent() as sent:
            _get(client, name, url)
        figures[f"{name}_queries"] = len(sent)
    milliseconds = [value for name, value in figures.items() if name.endswith("_ms")]
    statements = [value for name, value in figures.items() if name.endswith("_queries")]
    return {
        **figures,
        "pages": len(pages),
        "over_200_ms": sum(value > MOST_MS for value in milliseconds),
        "over_15_queries": sum(value >= MOST_QUERIES for value in statements),
        "most_queries": max(statements),
        "slowest_ms": max(milliseconds),
    }


def _get(client: Client, name: str, url: str) -> float:
    """Return how many seconds the answer took; of one that is streamed, its beginning."""
    began = time.perf_counter()
    response = client.get(url, secure=True)
    if response.status_code != 200 and name not in MAY_BE_UNAVAILABLE:
        raise Stuck(f"{url} answered {response.status_code}.")
    begin(response)
    return time.perf_counter() - began


def begin(response: Any) -> None:
    """Read the beginning of an answer that is streamed, and no more of it; any other has been read."""
    if not response.streaming:
        return
    next(iter(response), None)
    # What the client has put around the pieces ends the answer, and leaves the connection to the database open;
    # `response.close()` would close that as well.
    for close in response._resource_closers:
        close()


PAGES_AT_SIZE = Benchmark(
    name="pages",
    about="how long each page and list of the admin and the API takes with many tasks and a long history",
    options={"tasks": 1_000, "history": 1_000_000, "partitions": 100},
    opened=opened,
    repeat=1,
    headline="slowest_ms",
    against="history",
    values=(0, 100_000, 1_000_000),
)
