"""What a run of chaos found: each promise as a line."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import psutil

from scheduling.db import Connection, own_connection
from scheduling.models import Task, TaskInstance
from tests.chaos.fleet import Fleet, Sampler
from tests.chaos.tasks import MARK
from workers.domain.states import ExecutionState
from workers.engine.check import check
from workers.engine.complete import Report as Ended
from workers.engine.complete import complete
from workers.models import Execution


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201 - this is a program


@dataclass
class Report:
    """What was found, line by line, and whether it is what was promised."""

    kept: bool = True

    def line(self, what: str, found: object, good: bool) -> None:
        """Print one finding."""
        self.kept &= good
        say(f"{what:<44} {found}{'' if good else '   <-- broken'}")


def report_on(fleet: Fleet, sampler: Sampler, tasks: list[Task], *, drained: bool, planned: bool) -> int:
    """Print every finding; return the exit code."""
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
    report.line("every edited schedule planned", "yes" if planned else "no", planned)
    report.line("the queue drained", "yes" if drained else "no", drained)
    with own_connection("chaos") as conn:
        broken = check(conn)
    report.line("checkqueue", "clean" if not broken else [str(row) for row in broken], not broken)
    orphans = _left_behind()
    report.line("processes left behind", orphans, not orphans)
    crashed = fleet.said().count("Traceback (most recent call last)")
    report.line("tracebacks of schedulers and workers", crashed, crashed == 0)
    say(f"promises kept: {'yes' if report.kept else 'no'}")
    return 0 if report.kept else 1


def _left_behind() -> list[int]:
    """Return the processes of commands that outlived their executions, and a few seconds more."""
    deadline = time.monotonic() + 10
    while True:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if MARK in process.environ():
                    found.append(process.pid)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _replay_lost(conn: Connection) -> tuple[int, int]:
    """Report every lost execution as a success once more; return how many were offered and refused."""
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
