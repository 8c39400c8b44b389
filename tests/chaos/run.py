"""One run of chaos, from an empty database to the report."""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection

import tests.chaos.functions  # noqa: F401 - registers what the tasks name
from config.database.url import url_of_default
from scheduling.db import Connection, own_connection
from scheduling.models import Task, TaskInstance
from scheduling.services import cancel_instances, run_task_now
from tests.chaos.fleet import Fleet, Sampler
from tests.factories import make_task
from workers.engine.check import check
from workers.engine.complete import complete
from workers.models import Execution

PER_SECOND = {"trigger": "cron", "cron_expression": "* * * * * *", "handler": "python"}


@dataclass
class Report:
    """What was found, line by line, and whether it is what was promised."""

    kept: bool = True

    def line(self, what: str, found: object, good: bool) -> None:
        """Print one finding."""
        self.kept &= good
        say(f"{what:<44} {found}{'' if good else '   <-- broken'}")


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201 - this is a program


def run(folder: Path, options: argparse.Namespace) -> int:
    """Inject faults for the time that was asked for, let the queue drain, and report."""
    call_command("migrate", verbosity=0)
    chance = random.Random(options.seed)
    tasks = _make_tasks()
    url = url_of_default()
    logs = folder / "logs"
    logs.mkdir()
    fleet = Fleet(logs, url)
    sampler = Sampler(url)
    started = time.monotonic()
    try:
        for number in range(options.schedulers):
            fleet.start(f"scheduler-{number}", "runscheduler")
        for number in range(options.workers):
            fleet.start(f"worker-{number}", "runworker", "--name", f"w{number}", "--concurrency", "8")
        sampler.start()
        _inject(fleet, chance, tasks, options.seconds)
        say(
            f"faults for {time.monotonic() - started:.0f} s: "
            + ", ".join(f"{n} × {f}" for f, n in sorted(fleet.faults.items()))
        )
        fleet.thaw_all()
        Task.objects.update(enabled=False)
        drained = _drain(fleet)
        sampler.finish()
        return _report(fleet, sampler, tasks, drained)
    finally:
        fleet.end()
        if os.environ.get("ROTA_CHAOS_LOGS"):
            Path(os.environ["ROTA_CHAOS_LOGS"]).write_text(fleet.said())


def _make_tasks() -> list[Task]:
    def python(function: str, **over: object) -> Task:
        return make_task(**{**PER_SECOND, "params": {"function": function}, **over})

    return [
        python("chaos.quick", name="quick", overlap="allow"),
        python("chaos.slow", name="slow", overlap="allow"),
        python("chaos.slow", name="skipping"),
        python("chaos.slow", name="one after the other", overlap="queue_one"),
        python("chaos.slow", name="two at once", overlap="allow", max_running=2, cron_expression="*/2 * * * * *"),
        python("chaos.flaky", name="flaky", overlap="allow", max_attempts=4, retry_delay_seconds=1),
        python(
            "chaos.flaky",
            name="limited",
            overlap="queue_all",
            max_running=3,
            max_attempts=3,
            retry_delay_seconds=0,
        ),
        make_task(name="by hand", handler="python", params={"function": "chaos.slow"}, overlap="allow"),
    ]


def _inject(fleet: Fleet, chance: random.Random, tasks: list[Task], seconds: float) -> None:
    until = time.monotonic() + seconds
    restart_at = time.monotonic() + min(20.0, seconds / 3)
    by_hand = tasks[-1]
    faults: list[tuple[int, Callable[[], None]]] = [
        (4, lambda: fleet.kill(chance)),
        (3, lambda: fleet.freeze(chance)),
        (2, lambda: fleet.stop(chance)),
        (4, lambda: _cut(fleet, chance)),
        (6, lambda: _by_hand(fleet, chance, by_hand)),
    ]
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.1, 0.8))
        fleet.tend()
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
            cancel_instances(live)
            fleet.count("cancel")
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


def _drain(fleet: Fleet) -> bool:
    """Keep the fleet going until nothing is left to do; tell whether that came about."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        fleet.tend()
        with own_connection("chaos") as conn:
            row = conn.execute("SELECT count(*) FROM rota_queue_entry").fetchone()
        if row == (0,):
            return True
        time.sleep(0.3)
    return False


def _report(fleet: Fleet, sampler: Sampler, tasks: list[Task], drained: bool) -> int:
    report = Report()
    scheduled = [task for task in tasks if task.trigger == "cron"]
    expected = found = gaps = doubles = 0
    for task in scheduled:
        step = timedelta(seconds=2 if task.cron_expression.startswith("*/2") else 1)
        rows = list(
            TaskInstance.objects.filter(task=task, origin="schedule")
            .order_by("scheduled_for")
            .values_list("scheduled_for", "missed_count", "missed_since")
        )
        ticks = [row[0] for row in rows]
        if not ticks:
            gaps += 1
            continue
        expected += round((ticks[-1] - ticks[0]) / step) + 1
        found += sum(max(1, count or 0) for _, count, _ in rows)
        doubles += len(ticks) - len(set(ticks))
        for (earlier, _, _), (later, _, since) in pairwise(rows):
            gaps += round(((since or later) - earlier) / step) - 1
    ended = {
        outcome: TaskInstance.objects.filter(outcome=outcome).count()
        for outcome in ("succeeded", "failed", "cancelled", "skipped")
    }
    lost = Execution.objects.filter(state="lost").count()
    successes = Execution.objects.filter(state="succeeded").values("instance_id").distinct().count()
    report.line("fires expected / found", f"{expected} / {found}", expected == found)
    report.line("gaps", gaps, gaps == 0)
    report.line("doubles", doubles, doubles == 0)
    report.line("instances", ", ".join(f"{n} {word}" for word, n in ended.items()), True)
    report.line("executions lost and decided", lost, True)
    extra = Execution.objects.filter(state="succeeded").count() - successes
    report.line("double successes", extra, extra == 0)
    offered, refused = _replay_lost(own_connection("chaos"))
    report.line("stale reports offered / refused", f"{offered} / {refused}", offered == refused)
    report.line(f"limits exceeded in {sampler.samples} samples", sampler.exceeded, sampler.exceeded == 0)
    report.line("the queue drained", "yes" if drained else "no", drained)
    with own_connection("chaos") as conn:
        broken = check(conn)
    report.line("checkqueue", "clean" if not broken else [str(row) for row in broken], not broken)
    crashed = fleet.said().count("Traceback (most recent call last)")
    report.line("tracebacks of schedulers and workers", crashed, crashed == 0)
    say(f"promises kept: {'yes' if report.kept else 'no'}")
    return 0 if report.kept else 1


def _replay_lost(conn: Connection) -> tuple[int, int]:
    """Report every lost execution as a success once more; return how many were offered and refused."""
    from workers.domain.states import ExecutionState
    from workers.engine.complete import Report as Ended

    late = [
        Ended(
            instance_id=execution.instance_id,
            lease_id=execution.pk,
            scheduled_for=execution.scheduled_for,
            state=ExecutionState.SUCCEEDED,
            reason="completed",
        )
        for execution in Execution.objects.filter(state="lost")
    ]
    done = complete(conn, late)
    conn.close()
    return len(late), len(done.stale)
