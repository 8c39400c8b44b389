"""manage.py benchmark measures what it says, leaves nothing behind, and refuses what it cannot."""

from __future__ import annotations

import json
import signal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from config.benchmarks.plot import svg
from config.benchmarks.scratch_database import PREFIX
from scheduling.db import Connection
from scheduling.models import TaskInstance
from scheduling.services import run_task_now
from tests.factories import make_registration, make_task
from tests.support.processes import Started, manage
from tests.support.waiting import wait_until


def scratch_databases(conn: Connection) -> list[str]:
    rows = conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX]).fetchall()
    return [row[0] for row in rows]


def test_planning_decides_about_every_task_and_ends_with_json() -> None:
    out = StringIO()
    call_command("benchmark", "planning", "--tasks", "60", "--expressions", "7", "--repeat", "2", "--json", stdout=out)
    found = json.loads(out.getvalue().splitlines()[-1])
    assert (found["tasks"], found["expressions"], found["ticks"]) == (60, 7, 60)
    assert found["next_fires_seconds"] > 0


def test_more_expressions_than_tasks_are_refused() -> None:
    with pytest.raises(CommandError, match="no more than tasks"):
        call_command("benchmark", "planning", "--tasks", "5", "--expressions", "7")


def test_an_option_of_another_benchmark_is_refused_by_name() -> None:
    with pytest.raises(CommandError, match="has no option --rate; it has --tasks, --expressions"):
        call_command("benchmark", "planning", "--rate", "5")


@pytest.mark.processes
def test_a_benchmark_runs_real_work_beside_the_real_data_and_leaves_nothing_behind(conn: Connection) -> None:
    done = manage("benchmark", "herd", "--tasks", "20", "--repeat", "2", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["seconds"] > 0
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert "a commit costs" in done.stdout
    assert scratch_databases(conn) == []
    assert not TaskInstance.objects.exists()


@pytest.mark.processes
def test_ctrl_c_ends_a_benchmark_in_order(conn: Connection, tmp_path: Path) -> None:
    started = Started(tmp_path / "out", "benchmark", "throughput", "--jobs", "200000")
    wait_until(lambda: "a commit costs" in started.said(), seconds=60)
    assert len(scratch_databases(conn)) == 1
    assert started.end(signal.SIGINT) == 130
    assert "Traceback" not in started.said()
    assert scratch_databases(conn) == []
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE starts_with(datname, %s)"
    assert conn.execute(sessions, [PREFIX]).fetchone() == (0,)


def test_a_database_with_live_work_is_not_disturbed(conn: Connection) -> None:
    run_task_now(make_task())
    make_registration(conn)
    refused = manage("benchmark", "throughput")
    assert refused.returncode == 1
    assert "in use (1 unfinished instance, 1 live worker)" in refused.stderr
    assert "--anyway" in refused.stderr


def test_more_slots_than_the_server_has_connections_are_refused(conn: Connection) -> None:
    refused = manage("benchmark", "throughput", "--concurrency", "100000")
    assert refused.returncode == 1
    assert "100000 slots, and the server takes" in refused.stderr
    assert scratch_databases(conn) == []


def test_a_user_who_may_not_create_databases_is_told_what_to_do(conn: Connection) -> None:
    conn.execute("CREATE ROLE rota_modest LOGIN")
    try:
        from config.database.url import url_of_default

        url = url_of_default().replace("postgresql://postgres@", "postgresql://rota_modest@")
        refused = manage("benchmark", "throughput", "--anyway", DATABASE_URL=url)
    finally:
        conn.execute("DROP ROLE rota_modest")
    assert refused.returncode == 1
    assert "ALTER ROLE rota_modest CREATEDB" in refused.stderr


def test_a_plot_is_an_image_with_every_point() -> None:
    drawn = svg([(1, 5.0), (10, 50.0), (100, 20.0)], title="a < b", across="tasks", up="seconds")
    assert drawn.startswith("<svg")
    assert drawn.count("<circle") == 3
    assert "a &lt; b" in drawn
    crowded = svg([(1000, 1.0), (5000, 2.0), (100000, 3.0)], title="t", across="tasks", up="seconds")
    assert [number in crowded for number in (">1 000<", ">5 000<", ">100 000<")] == [True, False, True]
