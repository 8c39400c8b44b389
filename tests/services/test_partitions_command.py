"""manage.py partitions and statistics: what the history takes, and how a person makes it smaller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduling.db import Connection
from scheduling.domain.states import Origin
from scheduling.engine.enqueue import enqueue
from scheduling.models import StatHour
from tests.engine.work import claimed_by, ready, report_of
from tests.factories import make_registration, make_task
from tests.support.days import days_ago, make_day, old_instance, remove_days, tables_of
from workers.engine.complete import complete

ALL = {"rota_instance", "rota_execution", "rota_log_chunk"}


@pytest.fixture(autouse=True)
def _no_day_is_left(conn: Connection) -> Iterator[None]:
    yield
    remove_days(conn, [*(days_ago(count) for count in (40, 100, 200, 300)), days_ago(-60)])


def said(command: str, *args: str) -> str:
    """What the command prints."""
    out = StringIO()
    call_command(command, *args, stdout=out)
    return out.getvalue()


def shown() -> dict[str, Any]:
    """The lines of the JSON, by the name of the partition."""
    return {line["partition"]: line for line in json.loads(said("partitions", "--json"))}


def test_each_day_shows_its_size_and_what_becomes_of_it(conn: Connection) -> None:
    gone, held, lately, young = (make_day(conn, count) for count in (300, 200, 100, 40))
    task = make_task(overlap="allow")
    moment = datetime(held.year, held.month, held.day, 1, tzinfo=UTC)
    enqueue(conn, task_id=task.pk, origin=Origin.CODE, scheduled_for=moment)
    old_instance(conn, task, lately, made_days_ago=1)
    lines = shown()
    instances = {day: lines[f"rota_instance_p{day:%Y%m%d}"] for day in (gone, held, lately, young)}
    kept = {day: line["kept_because"] for day, line in instances.items()}
    assert kept == {gone: None, held: "live", lately: "written_lately", young: "young"}
    assert lines[f"rota_log_chunk_p{young:%Y%m%d}"]["kept_because"] is None
    assert instances[held]["unfinished"] == 1
    assert instances[gone]["size_bytes"] > 0
    assert instances[gone]["age_days"] == 300
    text = said("partitions")
    assert "held: 1 unfinished instance" in text
    assert "held: runs were made for this day later" in text
    assert "goes with the next look of a scheduler" in text


def test_days_are_created_ahead(conn: Connection) -> None:
    until = days_ago(-60)
    assert "Would create" in said("partitions", "--create-until", str(until), "--dry-run")
    assert tables_of(conn, until) == set()
    assert f"{until} are there" in said("partitions", "--create-until", str(until))
    assert tables_of(conn, until) == ALL
    remove_days(conn, [days_ago(-count) for count in range(9, 61)])


def test_old_days_are_dropped_only_when_it_is_meant_and_never_one_with_unfinished_work(conn: Connection) -> None:
    held, gone, kept = (make_day(conn, count) for count in (200, 100, 40))
    moment = datetime(held.year, held.month, held.day, 1, tzinfo=UTC)
    enqueue(conn, task_id=make_task(overlap="allow").pk, origin=Origin.CODE, scheduled_for=moment)
    before = str(days_ago(60))
    assert f"would drop rota_instance_p{gone:%Y%m%d}" in said("partitions", "--drop-before", before, "--dry-run")
    with pytest.raises(CommandError, match="--yes"):
        said("partitions", "--drop-before", before)
    assert tables_of(conn, gone) == ALL
    answer = said("partitions", "--drop-before", before, "--yes")
    assert "Dropped 3 of 3 partitions." in answer
    assert "held: rota_instance" in answer
    assert [tables_of(conn, day) for day in (held, gone, kept)] == [ALL, set(), ALL]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--drop-before", "yesterday"], "is no day"),
        (["--drop-before", "2999-01-01", "--yes"], "past"),
        (["--create-until", "2999-01-01"], "days ahead"),
        (["--create-until", "2001-01-01"], "days ahead"),
    ],
)
def test_a_day_that_makes_no_sense_is_refused(conn: Connection, args: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        said("partitions", *args)


def test_statistics_are_rebuilt_on_request(conn: Connection) -> None:
    ready(conn, 2)
    complete(conn, [report_of(claimed) for claimed in claimed_by(conn, make_registration(conn), slots=2)])
    today = str(days_ago(0))
    assert "Counted 2 ended instances" in said("statistics", "--rebuild", "--since", today)
    assert sum(StatHour.objects.filter(task_id=0).values_list("count", flat=True)) == 2
    assert "Counted 2 ended instances" in said("statistics", "--rebuild")
    with pytest.raises(CommandError, match="is no day"):
        said("statistics", "--rebuild", "--since", "soon")
