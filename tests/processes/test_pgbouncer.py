"""Schedulers and workers behind PgBouncer in transaction mode, where LISTEN hears nothing and sessions are shared."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from scheduling.db import QUEUE_CHANNEL, Connection, own_connection
from scheduling.engine.admission_lock import lock_gates
from scheduling.kept_plans import keeping_connection, keeps_plans
from scheduling.models import TaskInstance
from scheduling.notify import Notifier
from scheduling.push.pool import close_pool, turn
from scheduling.services import run_task_now
from tests.factories import make_task
from tests.processes.conftest import Start
from tests.support.waiting import wait_until

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (Debian: apt-get install pgbouncer)"),
]


@pytest.fixture
def pooled_url(conn: Connection) -> Iterator[str]:
    """The address of this test's database through a PgBouncer in transaction mode."""
    info = conn.info
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="rota-pgbouncer-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "users.txt").write_text(f'"{info.user}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n{info.dbname} = host={info.host} port={info.port} dbname={info.dbname} user={info.user}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"auth_file = {folder / 'users.txt'}\npool_mode = transaction\ndefault_pool_size = 4\n"
            "max_client_conn = 100\n"
        )
        with started(folder / "pgbouncer.ini", host=info.host, port=info.port) as process:
            url = f"postgresql://{info.user}@127.0.0.1:{port}/{info.dbname}"

            def answers() -> bool:
                assert process.poll() is None, "PgBouncer ended"
                try:
                    psycopg.connect(url, connect_timeout=2).close()
                except psycopg.OperationalError:
                    return False
                return True

            wait_until(answers, what="PgBouncer answers")
            yield url


@contextmanager
def started(config: Path, *, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """PgBouncer, as the user who owns the server's socket when we are root: PgBouncer refuses to be that."""
    user = group = groups = None
    if os.getuid() == 0:
        owner = Path(host, f".s.PGSQL.{port}").stat().st_uid if host.startswith("/") else pwd.getpwnam("nobody").pw_uid
        user, group, groups = owner, pwd.getpwuid(owner).pw_gid, list[int]()
    process = subprocess.Popen(
        [str(PROGRAM), str(config)],
        user=user,
        group=group,
        extra_groups=groups,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def test_everything_works_through_pgbouncer_in_transaction_mode(
    conn: Connection, start: Start, pooled_url: str
) -> None:
    start("runscheduler", DATABASE_URL=pooled_url)
    worker = start("runworker", "--name", "w", "--handlers", "shell", "--concurrency", "4", DATABASE_URL=pooled_url)
    wait_until(lambda: "started" in worker.said())
    ticking = make_task(trigger="cron", cron_expression="* * * * * *")
    flaky = make_task(
        params={"command": 'test "$ROTA_ATTEMPT" = 2'}, max_attempts=2, retry_backoff="fixed", retry_delay_seconds=0
    )
    runs = [run_task_now(make_task(overlap="allow")).pk for _ in range(30)] + [run_task_now(flaky).pk]
    wait_until(lambda: TaskInstance.objects.filter(pk__in=runs, outcome="succeeded").count() == len(runs))
    wait_until(lambda: TaskInstance.objects.filter(task=ticking, outcome="succeeded").count() >= 2)
    assert "WARNING" not in worker.said(), worker.said()
    assert worker.end() == 0


def test_what_holds_for_a_session_is_not_left_to_whoever_has_it_next(
    conn: Connection, pooled_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["synchronous_commit", "statement_timeout", "idle_in_transaction_session_timeout", "plan_cache_mode"]

    def found(shared: psycopg.Connection[tuple[str]]) -> list[str]:
        return [row[0] for name in names for row in shared.execute(f"SHOW {name}").fetchall()]

    def params(purpose: str) -> dict[str, Any]:
        return dict(conninfo_to_dict(pooled_url))

    monkeypatch.setattr("scheduling.db.connection_params", params)
    monkeypatch.setattr("scheduling.push.pool.connection_params", params)
    with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as before:
        usual = found(before)
        # One after the other, so that they have one session in turn.
        notifier = Notifier()
        notifier.send(QUEUE_CHANNEL, ["default"])
        notifier.close()
        own_connection("test", statement_timeout_seconds=1, prepares=True).close()

        async def push() -> None:
            async with turn() as pushing:
                await pushing.execute("SELECT 1")
            await close_pool()

        asyncio.run(push())
        assert found(before) == usual


def test_a_session_that_is_shared_keeps_no_plan(
    conn: Connection, pooled_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = own_connection("test", prepares=True)
    assert own.prepare_threshold is not None, "with nobody in between, statements may be prepared"
    own.close()
    monkeypatch.setattr("scheduling.db.connection_params", lambda purpose: {"conninfo": pooled_url})
    shared = keeping_connection("test")
    try:
        assert not keeps_plans(shared)
        lock_gates(shared, [1])
        assert shared.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        # Somebody else has this session next.
        assert shared.execute("SHOW plan_cache_mode").fetchone() == ("auto",)
        assert shared.execute("SHOW enable_seqscan").fetchone() == ("on",)
    finally:
        shared.close()
