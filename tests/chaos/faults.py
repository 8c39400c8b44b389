"""What is done to a fleet: killing, freezing, cutting, draining, cancelling, and a database that falls over."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import OperationalError, connection

from scheduling.models import Task, TaskInstance
from scheduling.services import cancel_instances, run_task_now
from tests.chaos.fleet import Fleet
from tests.chaos.report import say
from workers.services import UnknownNode, drain_node, resume_node

#: Who waits for minutes wants to see that it goes on.
SAY_EVERY = 30.0


def inject(fleet: Fleet, chance: random.Random, tasks: list[Task], crowd: list[int], seconds: float) -> None:
    """Do something to the fleet every now and then, for so long; ``crowd`` are the tasks to edit all at once."""
    begun = time.monotonic()
    until = begun + seconds
    say_at = begun + SAY_EVERY
    restart_at = time.monotonic() + min(20.0, seconds / 3)
    by_hand = tasks[-1]
    faults: list[tuple[int, Callable[[], None]]] = [
        (4, lambda: fleet.kill(chance)),
        (3, lambda: fleet.freeze(chance)),
        (2, lambda: fleet.stop(chance)),
        (4, lambda: _cut(fleet, chance)),
        (1, lambda: _hold_a_snapshot(fleet)),
        (1, lambda: _drain_a_node(fleet, chance)),
        (1, lambda: _edit_a_crowd(fleet, chance, crowd)),
        (6, lambda: _by_hand(fleet, chance, by_hand)),
    ]
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.1, 0.8))
        fleet.tend()
        if time.monotonic() > say_at:
            say_at += SAY_EVERY
            say(f"{time.monotonic() - begun:.0f} of {seconds:.0f} s, {sum(fleet.faults.values())} faults")
        if time.monotonic() > restart_at:
            _restart_database(fleet)
            restart_at = time.monotonic() + 25
            continue
        chance.choices([call for _, call in faults], [weight for weight, _ in faults])[0]()
    fleet.tend()


def _cut(fleet: Fleet, chance: random.Random) -> None:
    """Cut a few connections of schedulers and workers."""
    with suppress(psycopg.Error), psycopg.connect(fleet.url, autocommit=True) as conn:
        pids = [
            row[0]
            for row in conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'rota %' AND pid <> pg_backend_pid()"
            ).fetchall()
        ]
        for pid in chance.sample(pids, min(3, len(pids))):
            conn.execute("SELECT pg_terminate_backend(%s)", [pid])
            fleet.count("connection cut")


def _by_hand(fleet: Fleet, chance: random.Random, task: Task) -> None:
    """Run a task by hand, and cancel something."""
    try:
        run_task_now(task)
        if chance.random() < 0.5:
            live = list(TaskInstance.objects.filter(outcome=None).order_by("?")[:3])
            kill = chance.random() < 0.3
            cancel_instances(live, kill=kill)
            fleet.count("kill" if kill else "cancel")
    except (OperationalError, psycopg.OperationalError):
        connection.close()


def _restart_database(fleet: Fleet) -> None:
    """Shut PostgreSQL down as a crash would, and start it again."""
    pid = int((Path(settings.ROTA_HOME) / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGQUIT)
    fleet.count("database restart")
    connection.close()
    deadline = time.monotonic() + 30
    while True:
        try:
            connection.ensure_connection()
        except (OperationalError, psycopg.OperationalError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _hold_a_snapshot(fleet: Fleet) -> None:
    """Leave a transaction open for a while, with a snapshot, as a long report does."""
    with suppress(psycopg.Error):
        conn = psycopg.connect(fleet.url)
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        conn.execute("SELECT count(*) FROM rota_task")
        fleet.later(5.0, conn.close)
        fleet.count("held snapshot")


def _drain_a_node(fleet: Fleet, chance: random.Random) -> None:
    """Drain a node by request, and let it go on some seconds later."""
    name = chance.choice([member.name for member in fleet.members.values() if member.name.startswith("w")])

    def resume() -> None:
        resume_node(name, actor=None)

    try:
        drain_node(name, actor=None, reason="chaos")
    except (OperationalError, psycopg.OperationalError):
        connection.close()
    except UnknownNode:
        return
    fleet.later(3.0, resume)
    fleet.count("drain")


def _edit_a_crowd(fleet: Fleet, chance: random.Random, ids: list[int]) -> None:
    """Edit very many schedules at once, keep them locked for a moment, and then commit or give it up."""
    end = "COMMIT" if chance.random() < 0.7 else "ROLLBACK"
    with suppress(psycopg.Error):
        conn = psycopg.connect(fleet.url)
        conn.execute("SET lock_timeout = '5 s'")
        conn.execute("UPDATE rota_task SET every_seconds = every_seconds + 1 WHERE id = ANY(%s)", [ids])

        def finish() -> None:
            with suppress(psycopg.Error), conn:
                conn.execute(end)

        fleet.later(chance.uniform(0, 2), finish)
        fleet.count("mass edit")
