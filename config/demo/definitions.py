"""What the demo puts into the database: a namespace, some rows to count, and a task for each handler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Namespace
from scheduling.models import Task
from scheduling.services import save_task
from workers.models import Connection

NAMESPACE = "demo"
CONNECTION = "demo-orders"
#: The worker's variable that holds the address of the demo's table.
URL_VARIABLE = "ROTA_SECRET_DEMO_URL"
ORDERS = 5000

#: The table is made anew when it is not there; its numbers are the same each time.
_ORDERS = """
CREATE TABLE IF NOT EXISTS rota_demo_order (
    id integer PRIMARY KEY, placed_at timestamptz NOT NULL, country text NOT NULL, amount numeric(10, 2) NOT NULL
);
INSERT INTO rota_demo_order
SELECT n, now() - n * interval '7 minutes', (ARRAY['DE', 'FR', 'CN', 'US', 'BR'])[1 + n * 7 %% 5], 5 + n * 37 %% 500
FROM generate_series(1, %(orders)s) n
ON CONFLICT DO NOTHING
"""

_REPORT = """
SELECT country, count(*) AS orders, sum(amount) AS revenue, round(avg(amount), 2) AS average
FROM rota_demo_order GROUP BY country ORDER BY revenue DESC
"""

_SHELL = """
echo "backing up (only pretending)"
for part in 1 2 3; do
  echo "part $part of 3"
  echo "part $part: nothing to compress" >&2
  sleep 0.7
done
echo "attempt $ROTA_ATTEMPT of instance $ROTA_INSTANCE_ID is done"
"""


@dataclass(frozen=True, slots=True)
class DemoTask:
    """A task of the demo, and how each of its executions is expected to end."""

    name: str
    fields: Mapping[str, Any]
    expected: str = "succeeded"


def demo_tasks(*, base_url: str) -> list[DemoTask]:
    """Return the demo's tasks; ``base_url`` is where the web server answers."""
    soon = timezone.now() + timedelta(seconds=3)
    return [
        DemoTask(
            "check our own health",
            {
                "description": "Asks this very server whether it is well.",
                "handler": "http",
                "params": {"url": f"{base_url}/healthz"},
                "trigger": "cron",
                "cron_expression": "*/10 * * * * *",
                "timeout_seconds": 5,
            },
        ),
        DemoTask(
            "revenue by country",
            {
                "description": f"Adds up {ORDERS} orders.",
                "handler": "sql",
                "params": {"connection": CONNECTION, "statement": _REPORT.strip(), "read_only": True},
                "trigger": "interval",
                "every_seconds": 12,
            },
        ),
        DemoTask(
            "digits of pi",
            {
                "description": "Computes five hundred decimals and tells how far it is.",
                "handler": "python",
                "params": {"function": "demo.digits_of_pi", "kwargs": {"digits": 500}},
                "trigger": "cron",
                "cron_expression": "5/15 * * * * *",
            },
        ),
        DemoTask(
            "nightly backup",
            {
                "description": "Writes to both of its streams for two seconds. Its night is twenty seconds long.",
                "handler": "shell",
                "params": {"command": _SHELL.strip()},
                "trigger": "cron",
                "cron_expression": "*/20 * * * * *",
                "timeout_seconds": 60,
            },
        ),
        DemoTask(
            "fails on purpose",
            {
                "description": "Raises a KeyError, so that there is a failure to look at.",
                "handler": "python",
                "params": {"function": "demo.fail_on_purpose"},
                "trigger": "interval",
                "every_seconds": 10,
            },
            expected="failed",
        ),
        DemoTask(
            "greeting",
            {
                "description": "Runs once, a moment after each start of the demo.",
                "handler": "shell",
                "params": {"command": 'echo "Welcome to Rota."'},
                "trigger": "once",
                "run_at": soon,
            },
        ),
    ]


@transaction.atomic
def store_demo(tasks: list[DemoTask]) -> Namespace:
    """Create or refresh the demo's namespace, rows, connection and ``tasks``; what people edited stays edited.

    Only what must follow this start is written over: the address of the server, and the moment of the greeting.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ORDERS, {"orders": ORDERS})
    namespace, _ = Namespace.objects.get_or_create(name=NAMESPACE, defaults={"title": "Demo"})
    Connection.objects.get_or_create(namespace=namespace, name=CONNECTION, defaults={"url": f"${{{URL_VARIABLE}}}"})
    for wanted in tasks:
        task = Task.objects.filter(namespace=namespace, name=wanted.name).first()
        if task is None:
            save_task(Task(namespace=namespace, name=wanted.name, **wanted.fields))
        elif task.trigger == "once" or task.handler == "http":
            task.run_at = wanted.fields.get("run_at", task.run_at)
            task.params = wanted.fields["params"] if task.handler == "http" else task.params
            save_task(task)
    return namespace
