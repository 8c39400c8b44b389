"""manage.py benchmark: measure Rota on this machine and this database server."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.benchmarks.base import Benchmark, Figures, Stage
from config.benchmarks.errors import CannotMeasure, ProcessEnded, Stuck
from config.benchmarks.machine import Machine, describe
from config.benchmarks.plot import svg
from config.benchmarks.processes import processes
from config.benchmarks.registry import BENCHMARKS
from config.benchmarks.scratch_database import emulate_flush, require_connections, scratch_database
from config.benchmarks.screen import Bar, medians, one_line, table
from scheduling.db import own_connection

#: What an option of some benchmark means.
OPTIONS = {
    "jobs": "how many jobs each repeat runs",
    "tasks": "how many tasks",
    "rate": "how many fires or jobs in a second",
    "seconds": "how long each repeat goes on",
    "processes": "how many worker processes",
    "schedulers": "how many schedulers",
    "concurrency": "slots of each worker process",
    "samples": "how many single runs are timed",
    "expressions": "distinct cron expressions among the tasks",
    "history": "rows of ended instances behind the work",
    "partitions": "days that the history is spread over",
    "lines": "lines that each job prints",
}

#: No history at all; the highest rate that is kept up with.
MAY_BE_ZERO = frozenset({"history", "rate"})


class Command(BaseCommand):
    """Parses, wires and prints; what is measured is in config/benchmarks/."""

    help = (
        "Measures Rota on this machine and the configured database server, in a scratch database that is dropped "
        "afterwards: "
        + "; ".join(f"{benchmark.name}: {benchmark.about}" for benchmark in BENCHMARKS.values())
        + ". An option that is not given has the benchmark's own default."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("name", choices=list(BENCHMARKS), metavar="NAME", help=", ".join(BENCHMARKS))
        parser.add_argument("--json", action="store_true", help="end with one line of JSON: the medians")
        parser.add_argument("--repeat", type=int, default=None, metavar="N", help="how often to measure")
        for name, text in OPTIONS.items():
            parser.add_argument(f"--{name}", type=int, default=None, metavar="N", help=text)
        parser.add_argument(
            "--anyway", action="store_true", help="measure although the database has live work, workers or schedulers"
        )
        parser.add_argument(
            "--flush-us", type=int, default=0, metavar="N", help="emulate a disk that needs N microseconds to flush"
        )
        parser.add_argument("--plot", type=Path, default=None, metavar="FILE.svg", help="draw cost against an option")
        parser.add_argument("--against", choices=list(OPTIONS), default=None, help="the option that --plot varies")
        parser.add_argument("--values", default="", metavar="A,B,…", help="the values that --plot gives to it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print; whatever happens, what was started is ended and the scratch database is dropped."""
        benchmark = BENCHMARKS[options["name"]]
        chosen = _chosen(benchmark, options)
        repeat = benchmark.repeat if options["repeat"] is None else options["repeat"]
        if repeat < 1:
            raise CommandError("--repeat must be 1 or more.")
        try:
            with _stoppable():
                if options["plot"] is not None:
                    found = self._plot(benchmark, chosen, repeat, options)
                else:
                    found = self._measure(benchmark, chosen, repeat, options)
        except (CannotMeasure, ProcessEnded, Stuck) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped; the scratch database is gone.", returncode=130) from None
        if options["json"]:
            self.stdout.write(json.dumps({"benchmark": benchmark.name, **chosen, "repeat": repeat, **found}))

    def _measure(
        self, benchmark: Benchmark, chosen: Mapping[str, int], repeat: int, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        bar = Bar(self.stdout)
        rounds: list[Figures] = []
        with ExitStack() as stack:
            stage, machine = self._stage(stack, benchmark, chosen, bar, options)
            self._say(machine)
            measure = stack.enter_context(benchmark.opened(stage))
            for number in range(1, repeat + 1):
                bar.begin(f"{benchmark.name} {number}/{repeat}")
                rounds.append(measure())
                bar.end()
                self._say(f"{number}/{repeat}: {one_line(rounds[-1])}")
        for line in table(rounds):
            self._say(line)
        return {**medians(rounds), "machine": machine}

    def _stage(
        self,
        stack: ExitStack,
        benchmark: Benchmark,
        chosen: Mapping[str, int],
        bar: Bar,
        options: Mapping[str, Any],
    ) -> tuple[Stage, str]:
        if not benchmark.needs_database:
            machine = f"Python {platform.python_version()} · {os.cpu_count()} cores"
            return Stage(tell=bar.tell, options=chosen), machine
        stack.enter_context(scratch_database(anyway=options["anyway"]))
        conn = own_connection("benchmark")
        stack.callback(conn.close)
        require_connections(conn, chosen, anyway=options["anyway"])
        if options["flush_us"]:
            conn = emulate_flush(conn, options["flush_us"])
            stack.callback(conn.close)
        described: Machine = describe(conn)
        stage = Stage(
            tell=bar.tell,
            options=chosen,
            connection=conn,
            started=stack.enter_context(processes()),
        )
        return stage, described.line()

    def _plot(
        self, benchmark: Benchmark, chosen: Mapping[str, int], repeat: int, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        against = options["against"] or benchmark.against
        if against not in benchmark.options:
            raise CommandError(f"“{benchmark.name}” has no option --{against}; it has {_names(benchmark)}.")
        try:
            values = [int(part) for part in options["values"].split(",") if part.strip()] or list(benchmark.values)
        except ValueError:
            raise CommandError("--values is a list of whole numbers: 1,2,4.") from None
        points = []
        found: dict[str, Any] = {}
        for value in values:
            self._say(f"{against} = {value}")
            found = self._measure(benchmark, {**chosen, against: value}, repeat, options)
            points.append((float(value), float(found[benchmark.headline])))
        path: Path = options["plot"]
        path.write_text(
            svg(points, title=benchmark.name, across=against, up=benchmark.headline.replace("_", " ")),
            encoding="utf-8",
        )
        self._say(f"{path} shows {benchmark.headline.replace('_', ' ')} against {against}.")
        return {**found, "points": points}

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _chosen(benchmark: Benchmark, options: Mapping[str, Any]) -> dict[str, int]:
    chosen = dict(benchmark.options)
    for name in OPTIONS:
        if (value := options[name]) is None:
            continue
        if name not in benchmark.options:
            raise CommandError(f"“{benchmark.name}” has no option --{name}; it has {_names(benchmark)}.")
        least = 0 if name in MAY_BE_ZERO else 1
        if value < least:
            raise CommandError(f"--{name} must be {least} or more.")
        chosen[name] = value
    return chosen


def _names(benchmark: Benchmark) -> str:
    return ", ".join(f"--{name}" for name in benchmark.options)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Have SIGTERM end the command as Ctrl-C does: in order, with everything cleaned up."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: Callable[..., Any] | int | None
    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: somebody calls the command from code
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
