"""One run of chaos, from an empty database to the report."""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import signal
import time
from pathlib import Path
from typing import LiteralString

from django.core.management import call_command

import tests.chaos.functions  # noqa: F401 - registers what the tasks name
from config.database.url import url_of_default
from scheduling.db import own_connection
from scheduling.models import Task
from tests.chaos.faults import inject
from tests.chaos.fleet import Fleet, Sampler
from tests.chaos.report import report_on, say
from tests.chaos.tasks import make_crowd, make_tasks


def run(folder: Path, options: argparse.Namespace) -> int:
    """Inject faults for the time that was asked for, let the queue drain, and report."""
    call_command("migrate", verbosity=0)
    chance = random.Random(options.seed)
    tasks, crowd = make_tasks(), make_crowd()
    url = url_of_default()
    logs = folder / "logs"
    logs.mkdir()
    fleet = Fleet(logs, url)
    sampler = Sampler(url)
    started = time.monotonic()
    # Where does it stand? kill -USR1 tells.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    try:
        for number in range(options.schedulers):
            fleet.start(f"scheduler-{number}", "runscheduler")
        for number in range(options.workers):
            name = f"w{number}"
            fleet.start(name, "runworker", "--name", name, "--concurrency", "8", "--handlers", "python,shell")
        sampler.start()
        inject(fleet, chance, tasks, crowd, options.seconds)
        say(
            f"faults for {time.monotonic() - started:.0f} s: "
            + ", ".join(f"{n} × {f}" for f, n in sorted(fleet.faults.items()))
        )
        fleet.settle()
        fleet.thaw_all()
        planned = _await(fleet, "SELECT count(*) FROM rota_task_clock WHERE dirty")
        Task.objects.update(enabled=False)
        drained = _await(fleet, "SELECT count(*) FROM rota_queue_entry")
        sampler.finish()
        return report_on(fleet, sampler, tasks, drained=drained, planned=planned)
    finally:
        fleet.end()
        if os.environ.get("ROTA_CHAOS_LOGS"):
            Path(os.environ["ROTA_CHAOS_LOGS"]).write_text(fleet.said())


def _await(fleet: Fleet, left: LiteralString) -> bool:
    """Keep the fleet going until the statement ``left`` counts nothing; tell whether that came about."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        fleet.tend()
        with own_connection("chaos") as conn:
            row = conn.execute(left).fetchone()
        if row == (0,):
            return True
        time.sleep(0.3)
    return False
