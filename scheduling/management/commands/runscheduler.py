"""manage.py runscheduler: turn due tasks into instances."""

from __future__ import annotations

import argparse
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.conf import conf
from scheduling.exceptions import NotMigrated
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.runtime.garbage import leave_startup_out_of_collections
from scheduling.runtime.loop import SchedulerLoop
from scheduling.runtime.metrics_port import Address, metrics_address, serve_metrics
from scheduling.runtime.registry import Registry
from scheduling.runtime.upkeep import upkeep_maintainers
from scheduling.runtime.watchdog import Watchdog
from scheduling.schema import require_migrations
from workers import __version__
from workers.runtime.maintainers import worker_maintainers


class Command(BaseCommand):
    """Parses, wires and starts; the loop is in scheduling/runtime/loop.py."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Turns due tasks into instances, and decides what becomes of work whose worker was lost. Start as many as "
        "you like, on any machines: none leads, and none is missed. Ends on SIGTERM or Ctrl-C."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--metrics-port",
            type=metrics_address,
            default=None,
            metavar="[HOST:]PORT",
            help="tell its numbers to Prometheus there (default: listen nowhere; default host: 127.0.0.1)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal comes."""
        try:
            require_migrations()
        except NotMigrated as error:
            raise CommandError(str(error)) from error
        watchdog = Watchdog(seconds=conf().WATCHDOG_SECONDS, who="scheduler")
        loop = SchedulerLoop(
            maintainers=[*upkeep_maintainers(), *worker_maintainers()],
            report=self._say,
            registry=Registry(version=__version__),
            watch=watchdog.watch("turn"),
        )
        if options["metrics_port"] is not None:
            self._serve(options["metrics_port"], loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        leave_startup_out_of_collections()
        self._say("started")
        watchdog.start()
        loop.run()
        watchdog.stop()
        self._say("stopped")

    def _serve(self, address: Address, loop: SchedulerLoop) -> None:
        try:
            serve_metrics(address, loop.metrics)
        except OSError as error:
            raise CommandError(f"--metrics-port: cannot listen on {address}: {error.strerror or error}.") from error
        self._say(f"numbers for Prometheus on http://{address}/metrics")

    def _say(self, line: str) -> None:
        self.stdout.write(f"scheduler: {line}")
        self.stdout.flush()
