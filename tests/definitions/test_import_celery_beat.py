"""django-celery-beat's tasks come over from its tables; what cannot is said, and never guessed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from sqlalchemy import create_engine, text

from scheduling.importers.celery_crontab import cron_of_crontab
from scheduling.importers.result import CannotCarryOver
from scheduling.models import Task
from scheduling.services.definitions import read_text
from tests.processes import functions  # noqa: F401 - importing registers tests.give

#: The tables as the package's migrations leave them, in SQL that PostgreSQL and SQLite both read.
TABLES = """
CREATE TABLE django_celery_beat_crontabschedule (id integer PRIMARY KEY, minute varchar(240), hour varchar(96),
    day_of_week varchar(64), day_of_month varchar(124), month_of_year varchar(64), timezone varchar(63));
CREATE TABLE django_celery_beat_intervalschedule (id integer PRIMARY KEY, every integer, period varchar(24));
CREATE TABLE django_celery_beat_clockedschedule (id integer PRIMARY KEY, clocked_time timestamp with time zone);
CREATE TABLE django_celery_beat_solarschedule (id integer PRIMARY KEY, event varchar(24));
CREATE TABLE django_celery_beat_periodictask (id integer PRIMARY KEY, name varchar(200), task varchar(200), args text,
    kwargs text, queue varchar(200), exchange varchar(200), routing_key varchar(200),
    expires timestamp with time zone, enabled boolean, last_run_at timestamp with time zone, total_run_count integer,
    description text, crontab_id integer, interval_id integer, solar_id integer, one_off boolean,
    start_time timestamp with time zone, priority integer, headers text, clocked_id integer, expire_seconds integer);
INSERT INTO django_celery_beat_crontabschedule VALUES (1, '30', '2', '1-5', '*', '*', 'Europe/Berlin'),
    (2, '0', '0', 'mon', '1-15', '*', 'UTC');
INSERT INTO django_celery_beat_intervalschedule VALUES (1, 2, 'hours'), (2, 500, 'microseconds'), (3, 2, 'fortnights');
INSERT INTO django_celery_beat_clockedschedule VALUES
    (1, '2099-01-01 12:00:00+00:00'), (2, '2001-01-01 12:00:00+00:00');
INSERT INTO django_celery_beat_solarschedule VALUES (1, 'sunset');
"""

ROW: dict[str, Any] = {
    "args": "[]",
    "kwargs": "{}",
    "enabled": True,
    "total_run_count": 0,
    "description": "",
    "one_off": False,
    "headers": "{}",
}
ROWS: list[dict[str, Any]] = [
    {
        "name": "nightly",
        "task": "shop.tasks.report",
        "crontab_id": 1,
        "kwargs": '{"kind": "daily"}',
        "queue": "reports",
        "priority": 7,
        "description": "for Ada",
        "start_time": "2026-01-01 00:00:00+00:00",
        "expires": "2090-01-01 00:00:00+00:00",
        "enabled": False,
    },
    {
        "name": "every 2 h",
        "task": "a",
        "interval_id": 1,
        "last_run_at": "2026-03-01 07:15:30.5+00:00",
        "args": "[[1, 2]]",
    },
    {"name": "once", "task": "a", "clocked_id": 1, "one_off": True, "routing_key": "x", "headers": '{"a": 1}'},
    {"name": "soon", "task": "a", "crontab_id": 1, "one_off": True},
    {"name": "was once", "task": "a", "clocked_id": 2, "one_off": True},
    {"name": "did once", "task": "a", "crontab_id": 1, "one_off": True, "total_run_count": 1},
    {"name": "sun", "task": "a", "solar_id": 1},
    {"name": "both days", "task": "a", "crontab_id": 2},
    {"name": "too fast", "task": "a", "interval_id": 2},
    {"name": "nameless arguments", "task": "b", "interval_id": 1, "args": "[1]"},
    {"name": "bad json", "task": "a", "interval_id": 1, "kwargs": "{'a': 1}"},
    {"name": "dangling", "task": "a", "interval_id": 77},
    {"name": "no schedule", "task": "a"},
    {"name": "celery.backend_cleanup", "task": "celery.backend_cleanup", "crontab_id": 1},
    {"name": "odd unit", "task": "a", "interval_id": 3},
]
NAMES = "a:\n  function: tests.give\n  args: [value]\n"


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            yield statement, {}
    for number, row in enumerate(ROWS, start=1):
        values = {**ROW, **row, "id": number}
        # The names are those of ROW and ROWS, above.
        yield f"INSERT INTO django_celery_beat_periodictask ({', '.join(values)}) VALUES ({{}})", values  # noqa: S608


@pytest.fixture
def tables(namespace: object) -> None:
    """The package's tables in our own database."""
    with connection.cursor() as cursor:
        for statement, values in statements():
            cursor.execute(statement.format(", ".join(f"%({name})s" for name in values)), values)


def run(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("import-celery-beat", *args, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def names(tmp_path: Path) -> str:
    """A function map."""
    path = tmp_path / "map.yaml"
    path.write_text(NAMES)
    return str(path)


@pytest.mark.parametrize(
    ("crontab", "cron"),
    [
        ("0 4 * * *", "0 4 * * *"),
        ("*/15 9-17 1-5 * *", "*/15 9-17 * * 1-5"),
        ("0 0 monday,Fri * *", "0 0 * * 1,5"),
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("0 0 7 * *", "0 0 * * 0"),
        ("0 0 0-6 1,15 *", "0 0 1,15 * *"),
        ("0 0 mon 1-31 *", "0 0 * * 1"),
        ("0 0 mon 8-14 jan-mar", "0 0 * 1-3 1#2"),
    ],
)
def test_crontabs_keep_their_meaning(crontab: str, cron: str) -> None:
    fields = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")
    assert cron_of_crontab(**dict(zip(fields, crontab.split(), strict=True))) == cron


@pytest.mark.parametrize("crontab", ["60 * * * *", "* * mon 1-15 *", "5/3 * * * *", "*/0 * * * *", "x * * * *"])
def test_crontabs_without_an_equal_are_refused(crontab: str) -> None:
    fields = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")
    with pytest.raises(CannotCarryOver):
        cron_of_crontab(**dict(zip(fields, crontab.split(), strict=True)))


def check(out: str, err: str) -> None:
    read = {each.body["name"]: each.body for each in read_text(out, source="out", as_json=False).objects}
    assert read["nightly"] == {
        "kind": "task",
        "namespace": "default",
        "name": "nightly",
        "description": "for Ada",
        "enabled": False,
        "handler": "python",
        "params": {"function": "shop.tasks.report", "kwargs": {"kind": "daily"}},
        "trigger": "cron",
        "cron_expression": "30 2 * * 1-5",
        "timezone": "Europe/Berlin",
        "starts_at": "2026-01-01T00:00:00Z",
        "ends_at": "2090-01-01T00:00:00Z",
        "priority": 7,
        "queue": "reports",
    }
    interval = read["every 2 h"]
    assert (interval["every_seconds"], interval["anchor_at"]) == (7200, "2026-03-01T07:15:30Z")
    assert interval["params"] == {"function": "tests.give", "kwargs": {"value": [1, 2]}}
    assert (read["once"]["trigger"], read["once"]["run_at"]) == ("once", "2099-01-01T12:00:00Z")
    assert read["soon"]["trigger"] == "once"
    assert set(read) == {"nightly", "every 2 h", "once", "soon"}
    for line in (
        "skipped: 5 “was once”: its one moment, 2001-01-01T12:00:00Z, has passed.",
        "skipped: 6 “did once”",
        "skipped: 7 “sun”: it follows the sun",
        "skipped: 8 “both days”",
        "skipped: 9 “too fast”",
        "skipped: 10 “nameless arguments”: it has 1 positional arguments",
        "skipped: 11 “bad json”: its kwargs are not JSON.",
        "skipped: 12 “dangling”: its schedule 77 is missing.",
        "skipped: 13 “no schedule”",
        "skipped: 14 “celery.backend_cleanup”",
        "skipped: 15 “odd unit”: “fortnights” is no unit of an interval.",
        "note: 3 “once”: routing_key “x” is not carried over.",
        "note: 3 “once”: its message headers",
        "note: 1 “nightly”: params.function",
        "15 read, 4 written, 11 skipped",
    ):
        assert line in err, err


@pytest.mark.django_db
@pytest.mark.usefixtures("tables")
def test_the_tables_become_definitions_and_a_report_of_the_rest(names: str) -> None:
    check(*run("-o", "-", "--function-map", names))
    assert not Task.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("namespace")
def test_the_tables_may_be_in_another_database(tmp_path: Path, names: str) -> None:
    url = f"sqlite:///{tmp_path}/beat.sqlite3"
    engine = create_engine(url)
    with engine.begin() as conn:
        for statement, values in statements():
            conn.execute(text(statement.format(", ".join(f":{name}" for name in values))), values)
    engine.dispose()
    check(*run("-o", "-", "--function-map", names, "--database-url", url))


@pytest.mark.django_db
@pytest.mark.usefixtures("tables")
def test_applying_stores_what_is_sound_and_skips_the_rest(names: str) -> None:
    _out, err = run("--apply", "--function-map", names)
    # Its function is registered nowhere here.
    assert "skipped: 1 “nightly”: params.function" in err
    assert "15 read, 1 stored, 14 skipped" in err
    task = Task.objects.get()
    assert (task.name, task.trigger, task.every_seconds) == ("every 2 h", "interval", 7200)
    _out, again = run("--apply", "--function-map", names)
    assert "skipped: 2 “every 2 h”: a task of this name exists already." in again


@pytest.mark.django_db
@pytest.mark.usefixtures("namespace")
def test_a_database_without_the_tables_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no table django_celery_beat_periodictask"):
        run("-o", "-")
    with pytest.raises(CommandError, match="cannot be read"):
        run("-o", "-", "--database-url", "nonsense://user:hush@nowhere/x")
    bad = tmp_path / "map.yaml"
    bad.write_text("a: [1]\n")
    with pytest.raises(CommandError, match=r"map\.yaml"):
        run("-o", "-", "--function-map", str(bad))
