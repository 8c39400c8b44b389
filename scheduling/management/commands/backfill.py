"""manage.py backfill: run the ticks of a past range of a task, or stop doing so."""

from __future__ import annotations

import threading
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import DEFAULT_NAMESPACE
from scheduling.backfill_progress import BackfillProgress, backfill_progress
from scheduling.management.moments import read_moment
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.models import Backfill, Task
from scheduling.services.backfill import create_backfill, nothing_to_run, plan_backfill, stop_backfill

#: How often --wait looks, in seconds.
LOOK_SECONDS = 0.5

#: How wide the bar is, in characters.
BAR = 30

#: What the options are called where the service calls their fields otherwise.
_OPTION_OF = {
    "from_at": "--from",
    "until_at": "--until",
    "overlap": "--overlap",
    "reprocess": "--reprocess",
    "max_parallel": "--max-parallel",
    "task": "TASK",
}


class Command(BaseCommand):
    """Parses, asks the service, and shows how far it is."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Runs the ticks of a past range of a task, each as an instance of its own for its own moment. The schedulers "
        "work it off: one tick after the other, or so many side by side. Calendars are left out of account; every "
        "other limit of the task holds. With --stop ID it ends one instead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("task", metavar="TASK", nargs="?", help="the task's name")
        parser.add_argument("--from", dest="from_at", metavar="ISO", help="first moment; without an offset it is UTC")
        parser.add_argument("--until", dest="until_at", metavar="ISO", help="last moment, included")
        parser.add_argument(
            "--overlap",
            choices=["queue_all", "allow"],
            default="queue_all",
            help="one after the other (default), or side by side",
        )
        parser.add_argument(
            "--reprocess",
            choices=["none", "failed", "all"],
            default="none",
            help="only ticks that have no run (default), those that failed too, or all of them",
        )
        parser.add_argument(
            "--max-parallel", metavar="N", type=int, default=1, help="at most so many at once; with --overlap allow"
        )
        parser.add_argument("--namespace", default=DEFAULT_NAMESPACE, help="where the task is")
        parser.add_argument("--dry-run", action="store_true", help="list the ticks, and store nothing")
        parser.add_argument("--wait", action="store_true", help="stay until it has ended; fails when a tick failed")

        parser.add_argument(
            "--stop",
            metavar="ID",
            type=int,
            help="make no further instance of this backfill and cancel those that wait; what runs goes on",
        )
        parser.add_argument("--cancel-running", action="store_true", help="with --stop: tell what runs to stop as well")

    def handle(self, *args: Any, **options: Any) -> None:
        """Plan it; then list it, or start it. Or stop one."""
        if options["stop"] is not None:
            self._stop(options)
            return
        if options["cancel_running"]:
            raise CommandError("--cancel-running goes with --stop ID.")
        needed = {"TASK": options["task"], "--from": options["from_at"], "--until": options["until_at"]}
        if missing := [name for name, value in needed.items() if value is None]:
            raise CommandError(f"Give {', '.join(missing)} too; or --stop ID to end a backfill.")
        task = Task.objects.filter(namespace__name=options["namespace"], name=options["task"]).first()
        if task is None:
            raise CommandError(f"There is no task “{options['task']}” in the namespace “{options['namespace']}”.")
        backfill = Backfill(
            task=task,
            from_at=read_moment("--from", options["from_at"]),
            until_at=read_moment("--until", options["until_at"]),
            **{name: options[name] for name in ("overlap", "reprocess", "max_parallel")},
        )
        try:
            plan = plan_backfill(backfill)
            if not plan.ticks:
                self.stdout.write(nothing_to_run(plan))
                return
            if options["dry_run"]:
                for tick in plan.ticks:
                    self.stdout.write(tick.isoformat())
                self.stderr.write(f"{len(plan.ticks)} ticks would run; {plan.left_out} have a run already.")
                return
            create_backfill(backfill)
        except ValidationError as error:
            raise CommandError(_sentences(error)) from error
        self.stdout.write(f"Backfill {backfill.pk}: {backfill.total} ticks.")
        if options["wait"]:
            self._wait(backfill)

    def _stop(self, options: dict[str, Any]) -> None:
        if other := [name for name in ("task", "from_at", "until_at") if options[name] is not None]:
            raise CommandError(f"--stop takes the number of a backfill and nothing else, not {_OPTION_OF[other[0]]}.")
        backfill = Backfill.objects.filter(pk=options["stop"]).first()
        if backfill is None:
            raise CommandError(f"There is no backfill {options['stop']}.")
        if backfill.state != "running" and not options["cancel_running"]:
            self.stdout.write(f"Backfill {backfill.pk} had ended before: {backfill.state}.")
            return
        count = stop_backfill(backfill, cancel_running=options["cancel_running"])
        self.stdout.write(
            f"Backfill {backfill.pk} is stopped: {backfill.created_count} of {backfill.total} ticks were made, "
            f"{count} of them cancelled."
        )

    def _wait(self, backfill: Backfill) -> None:
        pause = threading.Event()
        try:
            while True:
                # The row first: when it says that all is over, what is counted afterwards is final.
                backfill.refresh_from_db(fields=["state", "created_count"])
                progress = backfill_progress(backfill)
                self._show(progress)
                if backfill.state != "running":
                    break
                pause.wait(LOOK_SECONDS)
        except KeyboardInterrupt:
            self._end_of_line()
            raise CommandError(
                f"Backfill {backfill.pk} goes on by itself; manage.py backfill --stop {backfill.pk} ends it."
            ) from None
        except Backfill.DoesNotExist:
            self._end_of_line()
            raise CommandError("The task was deleted, and its backfill with it.") from None
        self._end_of_line()
        self.stdout.write(_in_words(progress))
        if backfill.state == "stopped":
            raise CommandError(f"Backfill {backfill.pk} was stopped.")
        if progress.failed:
            raise CommandError(f"{progress.failed} of {progress.total} ticks failed.")

    def _show(self, progress: BackfillProgress) -> None:
        if self.stdout.isatty():
            filled = BAR * progress.percent // 100
            bar = "█" * filled + "░" * (BAR - filled)
            self.stdout.write(f"\r{bar} {progress.percent:3d} %  {progress.ended}/{progress.total}", ending="")
            self.stdout.flush()

    def _end_of_line(self) -> None:
        if self.stdout.isatty():
            self.stdout.write("")


def _in_words(progress: BackfillProgress) -> str:
    counts = {
        "succeeded": progress.succeeded,
        "failed": progress.failed,
        "cancelled": progress.cancelled,
        "skipped": progress.skipped,
        "not started": progress.to_come,
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _sentences(error: ValidationError) -> str:
    lines = []
    for name, messages in error.message_dict.items():
        lines += [f"{_OPTION_OF.get(name, name)}: {message}" for message in messages]
    return "\n".join(lines)
