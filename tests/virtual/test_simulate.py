"""manage.py simulate, and that it leaves nothing behind."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from scheduling.models import Task, TaskInstance
from tests.factories import make_namespace, make_task

pytestmark = pytest.mark.django_db

SPRING = ("--from", "2026-03-28T00:00+01:00", "--until", "2026-03-30T12:00+02:00")
DAY = ("--from", "2026-01-05T00:00Z", "--until", "2026-01-05T12:00Z")


def simulated(*arguments: str) -> list[dict[str, Any]]:
    out = io.StringIO()
    call_command("simulate", *arguments, "--json", stdout=out)
    found: list[dict[str, Any]] = json.loads(out.getvalue())
    return found


def everything_stored() -> dict[str, int]:
    """How many rows each table has, and which schemas and how many relations there are."""
    with connection.cursor() as cursor:
        counts = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608 - names from the catalogue
            counts[table] = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace")
        counts["schemas " + cursor.fetchone()[0]] = 1
        cursor.execute("SELECT count(*) FROM pg_class")
        counts["relations"] = cursor.fetchone()[0]
        cursor.execute("SELECT last_value FROM rota_instance_id_seq")
        counts["sequence"] = cursor.fetchone()[0]
        cursor.execute("SHOW search_path")
        counts["path " + cursor.fetchone()[0]] = 1
    return counts


def test_a_simulation_says_what_runs_and_leaves_nothing_behind() -> None:
    task = make_task(name="report", trigger="cron", cron_expression="30 2 * * *", timezone="Europe/Berlin")
    before = everything_stored()
    happened = simulated(*SPRING)
    assert [one["local"] for one in happened] == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]
    assert {one["state"] for one in happened} == {"succeeded"}
    assert everything_stored() == before
    assert not TaskInstance.objects.filter(task=task).exists()


def test_a_task_that_overlaps_itself_is_seen_to_be_skipped() -> None:
    make_task(name="slow", trigger="interval", every_seconds=3600)
    happened = simulated(*DAY, "--duration", "5400")
    assert [one["state"] for one in happened[:4]] == ["succeeded", "skipped", "succeeded", "skipped"]
    assert {one["reason"] for one in happened if one["state"] == "skipped"} == {"overlap"}


def test_an_outage_ends_in_one_instance_that_says_how_many_ticks_it_stands_for() -> None:
    make_task(name="hourly", trigger="cron", cron_expression="0 * * * *")
    happened = simulated(*DAY, "--outage", "2026-01-05T02:30Z/2026-01-05T07:30Z")
    (caught_up,) = [one for one in happened if one["missed_count"]]
    assert (caught_up["scheduled_for"], caught_up["missed_count"], caught_up["missed_since"]) == (
        "2026-01-05T07:00:00Z",
        5,
        "2026-01-05T03:00:00Z",
    )
    assert caught_up["fired_at"].startswith("2026-01-05T07:30:00")
    assert len(happened) == 13 - 5 + 1


def test_a_named_task_is_simulated_alone_and_even_when_it_is_paused() -> None:
    make_task(name="loud", trigger="interval", every_seconds=7200)
    make_task(name="paused", trigger="interval", every_seconds=3600, enabled=False)
    assert {one["task"] for one in simulated(*DAY, "--task", "paused")} == {"paused"}
    assert {one["task"] for one in simulated(*DAY)} == {"loud"}
    assert not Task.objects.get(name="paused").enabled


def test_the_table_names_each_instance_and_counts_them() -> None:
    make_task(name="hourly", trigger="cron", cron_expression="0 */6 * * *", timezone="Asia/Shanghai")
    out = io.StringIO()
    call_command("simulate", *DAY, stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["2026-01-05", "Mon", "12:00:00", "+08:00", "hourly", "succeeded"]
    assert lines[-1] == "1 task: 2 succeeded"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2026-02-01", "--until", "2026-01-01"], "before --from"),
        (["--from", "0001-01-01", "--until", "2026-01-01"], "--from: Choose a moment between the years"),
        (["--from", "yesterday", "--until", "2026-01-01"], "“yesterday” is no moment"),
        ([*DAY, "--task", "nobody"], "no task “nobody”"),
        ([*DAY, "--task", "twin"], "NAMESPACE/twin"),
        ([*DAY, "--outage", "2026-01-05T02:00Z"], "FROM/TO"),
        ([*DAY, "--outage", "2026-01-05T04:00Z/2026-01-05T03:00Z"], "ends after it began"),
        ([*DAY, "--task", "minutely", "--limit", "100"], "More than 100 instances"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], said: str) -> None:
    make_task(name="minutely", trigger="interval", every_seconds=60)
    make_task(name="twin")
    make_task(name="twin", namespace=make_namespace("second"))
    with pytest.raises(CommandError) as raised:
        call_command("simulate", *arguments)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
