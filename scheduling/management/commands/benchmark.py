"""manage.py benchmark: measure Rota on this machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.runtime.planning_benchmark import MOST_EXPRESSIONS, plan_a_minute


class Command(BaseCommand):
    """Parses and prints; what is measured is in scheduling/runtime/planning_benchmark.py."""

    help = (
        "Measures Rota on this machine. `planning`: the CPU time that a scheduler needs to decide about one tick of "
        "each of many tasks. It needs no database."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("name", choices=["planning"], help="what to measure")
        parser.add_argument("--tasks", type=int, default=100_000, help="(default: 100000)")
        parser.add_argument("--expressions", type=int, default=500, help="distinct ones among them (default: 500)")
        parser.add_argument("--repeat", type=int, default=5, help="how often (default: 5)")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print."""
        tasks, expressions, repeat = options["tasks"], options["expressions"], options["repeat"]
        if tasks < 1 or repeat < 1 or not 1 <= expressions <= min(tasks, MOST_EXPRESSIONS):
            raise CommandError(
                f"Give at least one task and one repeat, and 1 to {MOST_EXPRESSIONS} expressions, no more than tasks."
            )
        self.stdout.write(f"Python {platform.python_version()}, {os.cpu_count()} cores")
        rounds = []
        for number in range(1, repeat + 1):
            planned = plan_a_minute(tasks=tasks, expressions=expressions)
            rounds.append(planned)
            self.stdout.write(
                f"{number}/{repeat}: {planned.ticks} ticks, CPU {planned.next_fires_seconds * 1000:.0f} ms to compute "
                f"the next fires, {planned.decisions_seconds * 1000:.0f} ms to decide"
            )
        found: dict[str, float] = {"tasks": tasks, "expressions": expressions}
        for name, seconds in (
            ("next_fires", [planned.next_fires_seconds for planned in rounds]),
            ("decisions", [planned.decisions_seconds for planned in rounds]),
        ):
            low, middle, high = (round(value, 4) for value in (min(seconds), statistics.median(seconds), max(seconds)))
            found |= {f"{name}_seconds": middle, f"{name}_min": low, f"{name}_max": high}
            self.stdout.write(f"CPU seconds, {name.replace('_', ' ')}: min {low}, median {middle}, max {high}")
        if options["json"]:
            self.stdout.write(json.dumps(found))
