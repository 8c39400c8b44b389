"""What every test can count on."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator

import pytest
from django.db import connection, connections
from django.utils import timezone, translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Namespace
from scheduling.db import Connection, own_connection
from scheduling.engine.partitions import forget_known_partitions
from scheduling.notify import close_process_notifier
from scheduling.statistics import memo
from tests.factories import make_namespace
from tests.support import empty_tables
from tests.support.longest_first import scheduler as pytest_xdist_make_scheduler  # noqa: F401 - a hook of pytest-xdist

pytest_plugins = ["scheduling.testing", "tests.support.rewriting"]

# The same examples in every run, so that a red run can be repeated; no deadline, and none for finding examples either,
# since machines are shared.
hypothesis_settings.register_profile(
    "rota", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("rota")

empty_tables.install()

#: The threads of `scheduling.runtime.background`.
CHORES = {f"rota-{name}" for name in ("folded", "summed", "vacuumed", "dropped")}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Whoever started the tests in the background had Ctrl-C ignored, which the processes of tests would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: looking through it for garbage again and again finds none."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let the tests' own server not wait for the disk: what it loses when the machine stops is made anew."""
    if connection.settings_dict.get("EMBEDDED_HOME"):
        with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
            for setting in ("fsync = off", "full_page_writes = off", "max_wal_size = '4GB'"):
                cursor.execute(f"ALTER SYSTEM SET {setting}")
            cursor.execute("SELECT pg_reload_conf()")


@pytest.fixture(autouse=True)
def _no_connection_is_left() -> Iterator[None]:
    """Services announce on a connection of their own; give it back before the database is cleaned."""
    yield
    close_process_notifier()


@pytest.fixture(autouse=True)
def _no_connection_is_found(request: pytest.FixtureRequest) -> None:
    """Django's test cases leave theirs open, and a test without a database may not even look whether it is usable."""
    with_database = {"db", "transactional_db"} & set(request.fixturenames)
    if not with_database and request.node.get_closest_marker("django_db") is None:
        connections.close_all()


@pytest.fixture(autouse=True)
def _nobody_has_spoken() -> None:
    """A page that was shown in somebody's language and time zone leaves both to its thread."""
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def _nothing_expensive_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine one test's statistics would be shown to the next."""
    monkeypatch.setattr(memo, "CHEAP_SECONDS", float("inf"))


@pytest.fixture
def namespace(db: None) -> Namespace:
    """The default namespace."""
    return make_namespace()


@pytest.fixture
def conn(transactional_db: None) -> Iterator[Connection]:
    """A connection of its own, as loops have it; the test's rows must be committed to be seen by it."""
    make_namespace()
    forget_known_partitions()
    connection = own_connection("test")
    yield connection
    # What a scheduler of the test has begun beside its loop would go on in the tables of the next test.
    for thread in threading.enumerate():
        if thread.name in CHORES:
            thread.join(60)
    connection.close()


#: What tests measured, to be shown at the end of the run; a test reports it by record_property("figure", …).
_figures: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather figures, also those of tests that ran in another process."""
    if report.when == "call":
        _figures.extend(str(value) for name, value in report.user_properties if name == "figure")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    if _figures:
        terminalreporter.section("figures")
        for figure in _figures:
            terminalreporter.write_line(figure)
