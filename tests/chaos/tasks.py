"""The tasks of a run of chaos: one for each kind of limit, all of them every second or two."""

from __future__ import annotations

from scheduling.models import Pool, Task
from tests.factories import make_namespace, make_task

PER_SECOND = {"trigger": "cron", "cron_expression": "* * * * * *", "handler": "python"}
EVERY_OTHER = "*/2 * * * * *"

#: So many tasks never come due; they are there to be edited all at once.
CROWD = 2000

#: The environment variable by which a command of ours is known.
MARK = "ROTA_CHAOS"

#: Outlives its parent in a session of its own and ignores SIGTERM, if it is let.
STUBBORN = "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 300' & sleep 0.6; true"


def make_tasks() -> list[Task]:
    """Store the tasks; the last one is for running by hand."""
    pool = Pool.objects.create(namespace=make_namespace(), name="shared", slots=3)

    def python(function: str, name: str, **over: object) -> Task:
        return make_task(**{**PER_SECOND, "params": {"function": function}, "name": name, **over})

    return [
        python("chaos.quick", "quick", overlap="allow"),
        python("chaos.slow", "slow", overlap="allow"),
        python("chaos.slow", "skipping"),
        python("chaos.slow", "one after the other", overlap="queue_one"),
        python("chaos.slow", "two at once", overlap="allow", max_running=2, cron_expression=EVERY_OTHER),
        python("chaos.flaky", "flaky", overlap="allow", max_attempts=4, retry_delay_seconds=1),
        python("chaos.flaky", "limited", overlap="queue_all", max_running=3, max_attempts=3, retry_delay_seconds=0),
        python("chaos.slow", "replaced", overlap="cancel_running"),
        python("chaos.later", "put off", overlap="queue_one", max_attempts=2, retry_delay_seconds=0),
        python("chaos.slow", "light", overlap="allow", pool=pool, cron_expression=EVERY_OTHER),
        python("chaos.slow", "heavy", overlap="queue_one", pool=pool, pool_weight=2, cron_expression=EVERY_OTHER),
        python("chaos.slow", "this customer", concurrency_key="customer", max_running=2, overlap="skip"),
        python("chaos.slow", "that customer", concurrency_key="customer", max_running=2, overlap="skip"),
        make_task(
            **{**PER_SECOND, "handler": "shell", "cron_expression": EVERY_OTHER},
            params={"command": STUBBORN, "env": {MARK: "yes"}},
            name="grandchildren",
            kill_grace_seconds=1,
        ),
        make_task(name="by hand", handler="python", params={"function": "chaos.slow"}, overlap="allow"),
    ]


def make_crowd() -> list[int]:
    """Store the tasks that are edited together; return their ids."""
    crowd = Task.objects.bulk_create(
        Task(
            namespace=make_namespace(),
            name=f"crowd {number}",
            handler="python",
            params={"function": "chaos.quick"},
            trigger="interval",
            every_seconds=30 * 86_400,
        )
        for number in range(CROWD)
    )
    return [task.pk for task in crowd]
