"""The tables of django-celery-beat, read with nothing but SQL: the package need not be installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from scheduling.importers.result import CannotCarryOver

PERIODIC = "django_celery_beat_periodictask"
CRONTAB = "django_celery_beat_crontabschedule"
INTERVAL = "django_celery_beat_intervalschedule"
CLOCKED = "django_celery_beat_clockedschedule"
SOLAR = "django_celery_beat_solarschedule"

#: Moments in the tables that are read; some databases give them as text.
_MOMENTS = frozenset({"clocked_time", "expires", "start_time", "last_run_at"})


@dataclass(slots=True)
class CeleryTables:
    """The periodic tasks in the order of their ids, and the schedules of each kind by id."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    schedules: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)


def read_celery_tables(database_url: str | None = None) -> CeleryTables:
    """Read them from the database of ``database_url``, or from our own. Raises CannotCarryOver."""
    rows = _own_rows() if database_url is None else _rows_of(database_url)
    if PERIODIC not in rows:
        raise CannotCarryOver(_("there is no table %(table)s in this database.") % {"table": PERIODIC})
    return CeleryTables(
        tasks=sorted(rows[PERIODIC], key=lambda row: int(row["id"])),
        schedules={
            table: {row["id"]: row for row in rows.get(table, [])} for table in (CRONTAB, INTERVAL, CLOCKED, SOLAR)
        },
    )


def _own_rows() -> dict[str, list[dict[str, Any]]]:
    found = {}
    with connection.cursor() as cursor:
        names = set(connection.introspection.table_names(cursor))
        for table in names & {PERIODIC, CRONTAB, INTERVAL, CLOCKED, SOLAR}:
            cursor.execute(_select(table))
            columns = [column.name for column in cursor.description or ()]
            found[table] = [_read(dict(zip(columns, row, strict=True))) for row in cursor.fetchall()]
    return found


def _rows_of(database_url: str) -> dict[str, list[dict[str, Any]]]:
    try:
        url = make_url(database_url)
        if url.drivername in {"postgres", "postgresql"}:
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url)
        try:
            with engine.connect() as conn:
                names = set(inspect(conn).get_table_names())
                return {
                    table: [_read(dict(row)) for row in conn.execute(text(_select(table))).mappings()]
                    for table in names & {PERIODIC, CRONTAB, INTERVAL, CLOCKED, SOLAR}
                }
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        # Only the kind and the driver's own sentence: the address may hold a password.
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()
        raise CannotCarryOver(
            _("the database cannot be read: %(why)s") % {"why": reason[0] if reason else type(error).__name__}
        ) from None


def _select(table: str) -> str:
    return f"SELECT * FROM {table}"  # noqa: S608 - one of the five names above


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _moment(value) if name in _MOMENTS else value for name, value in row.items()}


def _moment(value: Any) -> Any:
    """Return a moment with its zone; Django stores those of databases without zones in UTC."""
    moment = parse_datetime(value) if isinstance(value, str) else value
    if isinstance(moment, datetime) and moment.utcoffset() is None:
        return moment.replace(tzinfo=UTC)
    return moment
