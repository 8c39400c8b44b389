"""A scratch schema: Rota's own tables, empty and on a virtual clock, that a rollback takes away again.

The project's migrations build it, so it has the same tables, indexes and triggers as the real one. While it is
open, every name in the caller's transaction means the scratch tables: the engine's SQL and Django's models read and
write those, and the real rows are neither changed nor locked.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from accounts.models import Namespace
from scheduling.db import Connection, callers_connection
from scheduling.engine.partitions import PARTITIONED, forget_known_partitions
from scheduling.models import Calendar, CalendarRule, Pool, Task
from scheduling.runtime.virtual_clock import SETTING, VirtualClock

#: Functions of PostgreSQL that mean something else here. The clocks read the setting. The advisory locks and the
#: notifications have nobody to talk to, and must not reach the schedulers that work on the real tables meanwhile.
_STAND_INS = (
    *(
        f"CREATE FUNCTION {name}() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE "
        f"AS $$ SELECT current_setting('{SETTING}')::timestamptz $$"
        for name in ("clock_timestamp", "statement_timestamp", "transaction_timestamp", "now")
    ),
    "CREATE FUNCTION pg_advisory_xact_lock(int, int) RETURNS void LANGUAGE sql AS $$ SELECT $$",
    "CREATE FUNCTION pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS $$ SELECT $$",
    "CREATE FUNCTION pg_notify(text, text) RETURNS void LANGUAGE sql AS $$ SELECT $$",
)

#: Their rows die young, and within one transaction nothing is ever cleaned up behind them.
_CHURNED = ("rota_task_clock", "rota_queue_entry")


class ScratchSchema:
    """An open scratch schema: its connection and its clock."""

    def __init__(self, conn: Connection, clock: VirtualClock, home: str) -> None:
        self.conn = conn
        self.clock = clock
        self._home = home

    def copy_tasks(self, task_ids: Sequence[int], *, enable: bool = False) -> None:
        """Copy real tasks with their namespaces, calendars and pools; they are planned as if made at this moment.

        ``enable`` has paused ones fire as well. To be called before anything else is stored here.
        """
        ids = list(task_ids)
        calendars = Task.calendars.through
        named = sql.SQL("id IN (SELECT calendar_id FROM {} WHERE task_id = ANY(%(ids)s))").format(
            self._real(calendars._meta.db_table)
        )
        by_calendar = sql.SQL("calendar_id IN (SELECT calendar_id FROM {} WHERE task_id = ANY(%(ids)s))").format(
            self._real(calendars._meta.db_table)
        )
        # Those that the migrations made.
        Namespace.objects.all().delete()
        self._copy(Namespace, sql.SQL("true"), ids)
        self._copy(Calendar, named, ids)
        self._copy(CalendarRule, by_calendar, ids)
        pooled = sql.SQL("id IN (SELECT pool_id FROM {} WHERE id = ANY(%(ids)s))").format(self._real("rota_task"))
        self._copy(Pool, pooled, ids)
        self._copy(Task, sql.SQL("id = ANY(%(ids)s)"), ids, enable=enable)
        self._copy(calendars, sql.SQL("task_id = ANY(%(ids)s)"), ids)

    def sweep(self) -> None:
        """Write the tables anew that gather dead rows, so that a long simulation does not become slower."""
        for name in _CHURNED:
            table = sql.Identifier(name)
            for statement in (
                "CREATE TABLE rota_swept AS TABLE {}",
                "TRUNCATE {}",
                "INSERT INTO {} TABLE rota_swept",
            ):
                self.conn.execute(sql.SQL(statement).format(table))
            self.conn.execute("DROP TABLE rota_swept")

    def _real(self, table: str) -> sql.Identifier:
        return sql.Identifier(self._home, table)

    def _copy(
        self,
        model: type[models.Model],
        condition: sql.Composable,
        ids: list[int],
        *,
        enable: bool = False,
    ) -> None:
        columns = [str(field.column) for field in model._meta.local_concrete_fields]
        values = [sql.SQL("true") if enable and column == "enabled" else sql.Identifier(column) for column in columns]
        table = model._meta.db_table
        self.conn.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE {}").format(
                sql.Identifier(table),
                sql.SQL(", ").join([sql.Identifier(column) for column in columns]),
                sql.SQL(", ").join(values),
                self._real(table),
                condition,
            ),
            {"ids": ids},
        )
        # What is made here by hand afterwards must not meet a copied id.
        self.conn.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {} HAVING max(id) > 0").format(
                sql.Identifier(table)
            ),
            [table],
        )


#: What the migrations of these apps executed in an empty schema: statement, params, whether the params are many.
_EXECUTED: dict[frozenset[str], list[tuple[str, Any, bool]]] = {}


def _migrate(wanted: frozenset[str]) -> None:
    """Build the tables of the apps ``wanted``. Working out what to execute takes ten times as long as executing it, so
    the first schema of a process records that for the others."""
    recorded = _EXECUTED.get(wanted)
    if recorded is not None:
        with connection.cursor() as cursor:
            for statement, params, many in recorded:
                (cursor.executemany if many else cursor.execute)(statement, params)
        return
    executed: list[tuple[str, Any, bool]] = []

    def record(execute: Callable[..., Any], statement: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        executed.append((statement, params, many))
        return execute(statement, params, many, context)

    executor = MigrationExecutor(connection)
    with connection.execute_wrapper(record):
        executor.migrate([node for node in executor.loader.graph.leaf_nodes() if node[0] in wanted])
    _EXECUTED[wanted] = executed


@contextmanager
def scratch_schema(now: datetime, *, apps: Sequence[str] = ()) -> Iterator[ScratchSchema]:
    """Open a scratch schema whose clock shows ``now``; whatever happens inside, nothing of it is left afterwards.

    ``apps`` are the labels of further apps whose tables it shall have. It is one transaction of the caller's
    connection (a savepoint when one is open), which is rolled back at the end. Raises django.db.ProgrammingError
    when the database's user may not create schemas.
    """
    name = f"rota_virtual_{uuid.uuid4().hex[:12]}"
    with transaction.atomic():
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'rota_task'::regclass"
                )
                (home,) = cursor.fetchone()
                cursor.execute(f"CREATE SCHEMA {name}")
                cursor.execute(f"SET LOCAL search_path = {name}, pg_catalog")
                for stand_in in _STAND_INS:
                    cursor.execute(stand_in)
            clock = VirtualClock(callers_connection(), now)
            _migrate(frozenset({"scheduling", *apps}))
            with connection.cursor() as cursor:
                for table in PARTITIONED:
                    # One partition for all days, if that app is here.
                    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
                    if cursor.fetchone()[0]:
                        cursor.execute(f"CREATE TABLE {table}_all PARTITION OF {table} DEFAULT")
                # Deferred checks would keep tables from being swept.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            yield ScratchSchema(callers_connection(), clock, home)
        finally:
            transaction.set_rollback(True)
            # Those that this process believes to exist may have been in here.
            forget_known_partitions()
