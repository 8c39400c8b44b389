"""A task, a scheduler turned by hand, and a past that moves away: what the tests of the ledger share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from scheduling.conf import SchedulingConf
from scheduling.db import CLOCK_CHANNEL, Connection, database_now
from scheduling.ledger import Ledger, read_ledger
from scheduling.models import QueueEntry, Task
from scheduling.runtime.loop import SchedulerLoop
from tests.factories import make_task
from tests.support.waiting import wait_until

#: The longest time that a history here spans.
DAYS = 4

#: What became of a tick, for good.
DECIDED = {"ran", "late", "coalesced", "skipped"}


class World:
    """A task, a scheduler that is turned by hand, and time that passes by moving the past further away."""

    def __init__(self, conn: Connection, **over: Any) -> None:
        self.conn = conn
        self.task = make_task(**{"trigger": "cron", "cron_expression": "*/10 * * * *", **over})
        # What is done now and then is done with each turn.
        self.loop = SchedulerLoop(settings=SchedulingConf(MAINTENANCE_SECONDS=0))

    def hours_pass(self, hours: int) -> None:
        """Nobody turns the scheduler meanwhile."""
        away = timedelta(hours=hours)
        for table, columns in {
            "rota_task_clock": ["next_run_at", "held_at", "planned_from", "last_fired_for"],
            "rota_schedule_period": ["begins_at", "took_over_at", "undecided_after"],
            "rota_instance": ["scheduled_for", "created_at", "missed_since"],
            "rota_queue_entry": ["scheduled_for", "run_at", "sort_key"],
        }.items():
            moved = ", ".join(f"{column} = {column} - %(away)s" for column in columns)
            self.conn.execute(
                f"UPDATE {table} SET {moved} WHERE task_id = %(task)s",  # noqa: S608 - names from this file
                {"away": away, "task": self.task.pk},
            )

    def schedulers_work(self) -> None:
        """Until nothing is due any more."""
        self.loop.take_note({CLOCK_CHANNEL: {""}})

        def through() -> bool:
            self.loop.turn()
            with self.conn.cursor() as cursor:
                waiting = cursor.execute(
                    "SELECT 1 FROM rota_task_clock k JOIN rota_task t ON t.id = k.task_id "
                    "WHERE t.id = %s AND t.enabled AND (k.dirty OR k.next_run_at <= clock_timestamp())",
                    [self.task.pk],
                ).fetchone()
            return waiting is None

        wait_until(through)

    def ledger(self, *, ahead: timedelta = timedelta(hours=1)) -> Ledger:
        """From before the task began until some time ahead."""
        now = database_now(self.conn)
        return read_ledger(self.task, from_at=now - timedelta(days=DAYS), until_at=now + ahead)

    def counts(self) -> Counter[str]:
        """How many ticks of the past stand how."""
        now = database_now(self.conn)
        return Counter(line.entry.state.value for line in self.ledger().lines if line.entry.at <= now)

    def edit(self, **fields: Any) -> None:
        """From anywhere, such as a shell."""
        Task.objects.filter(pk=self.task.pk).update(**fields)

    def work_ends(self) -> None:
        """What is queued goes, as if it had succeeded."""
        QueueEntry.objects.filter(task=self.task).delete()
        self.conn.execute(
            "UPDATE rota_instance SET outcome = 'succeeded', finished_at = now() WHERE task_id = %s "
            "AND outcome IS NULL",
            [self.task.pk],
        )


MakeWorld = Callable[..., World]
