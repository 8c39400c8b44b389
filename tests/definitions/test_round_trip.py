"""What is exported can be applied again, and is then exported as the same text."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scheduling.models import Pool, Task
from scheduling.models.calendar import Calendar, CalendarRule
from scheduling.services.definitions import (
    Documents,
    Outcome,
    apply_definitions,
    as_json,
    as_yaml,
    export_definitions,
    read_text,
)
from scheduling.services.definitions.fields import task_fields
from scheduling.services.definitions.yaml_subset import read_yaml, write_yaml
from tests.factories import make_namespace, make_task

pytestmark = pytest.mark.django_db


def read(text: str, *, as_json: bool = False) -> Documents:
    found = read_text(text, source="test", as_json=as_json)
    assert found.problems == []
    return found


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
#: Texts that some reader of YAML takes for something else.
tricky = st.sampled_from(
    [
        *["on", "Yes", "null", "~", "", "22:00", "2026-01-01", "1e3", "0o17", "010", "1_000", ".5", "0x1f", "=", "<<"],
        *["-", "a: b", "# no", "'", '"', "%", "@x", "!x", "&a", "*a", "|", "line\nline\n", "\n", " x\n y", "a\n\nb"],
        *["trailing \nspace", "a\r\nb", "\x85", "\u2028", "\ttab\n"],
    ]
)
numbers = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False, width=32)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | tricky,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | tricky, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_every_value_that_json_knows_survives_yaml(value: Any) -> None:
    (back,) = read_yaml(write_yaml(value))
    assert back == value
    assert json.dumps(back) == json.dumps(value)


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
names = st.text(string.ascii_letters + string.digits + "äß#:-' .", min_size=1, max_size=30).map(str.strip).filter(bool)
seconds = st.integers(1, 10**6)
spans = st.one_of(seconds, st.integers(100, 10**6).map(lambda thousandths: thousandths / 1000))
triggers = st.one_of(
    st.just({"trigger": "manual"}),
    st.sampled_from(["*/5 * * * *", "0 0 12 L * *", "30 2 * * mon#1", "@daily", "H H * * *"]).map(
        lambda text: {"trigger": "cron", "cron_expression": text}
    ),
    st.fixed_dictionaries({"trigger": st.just("interval"), "every_seconds": spans}, optional={"anchor_at": moments}),
    st.fixed_dictionaries({"trigger": st.just("once"), "run_at": moments.filter(lambda at: at.year > 2050)}),
    st.fixed_dictionaries({"trigger": st.just("once"), "delay_seconds": seconds}),
)
handlers = st.one_of(
    st.fixed_dictionaries(
        {"command": (texts | tricky).filter(bool)},
        optional={
            "env": st.dictionaries(st.from_regex(r"[A-Z]{1,8}", fullmatch=True), texts, max_size=3),
            "stdin": texts,
        },
    ).map(lambda params: {"handler": "shell", "params": params}),
    values.map(lambda value: {"handler": "http", "params": {"url": "https://example.org/", "json": value}}),
)
policies = st.fixed_dictionaries(
    {},
    optional={
        "description": texts | tricky,
        "enabled": st.booleans(),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai"]),
        "dst_gap": st.sampled_from(["run_after_gap", "skip", "shift"]),
        "dst_fold": st.sampled_from(["first", "second", "both"]),
        "starts_at": moments.filter(lambda at: at.year < 2040),
        "ends_at": moments.filter(lambda at: at.year > 2060),
        "jitter_seconds": st.integers(0, 5),
        "catch_up": st.sampled_from(["latest", "none", "all"]),
        "misfire_grace_seconds": st.none() | seconds,
        "max_catch_up": seconds,
        "overlap": st.sampled_from(["skip", "queue_one", "queue_all", "allow"]),
        "max_running": st.none() | seconds,
        "max_attempts": st.integers(1, 1000),
        "retry_backoff": st.sampled_from(["exponential", "fixed"]),
        "timeout_seconds": st.none() | seconds,
        "on_worker_lost": st.sampled_from(["retry", "fail"]),
        "priority": st.integers(-100, 100),
        "queue": st.sampled_from(["default", "node:x", "big"]),
    },
)


def _task(trigger: dict[str, Any], handler: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    fields = {**trigger, **handler, **policy}
    if trigger["trigger"] == "once":
        # Bounds could leave out the one moment.
        fields = {name: value for name, value in fields.items() if name not in {"starts_at", "ends_at"}}
    return fields


tasks = st.builds(_task, triggers, handlers, policies)


@settings(
    max_examples=40,
    # Shrinking would take minutes of a database's time; the examples are small.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(defined=st.dictionaries(names, tasks, max_size=4))
def test_an_export_applied_anywhere_is_exported_as_the_same_bytes(db: None, defined: dict[str, Any]) -> None:
    Task.objects.all().delete()
    for name, fields in defined.items():
        make_task(name=name, **({"run_at": datetime(2060, 1, 1, tzinfo=UTC)} | fields))
    stored = export_definitions()
    text, listed = as_yaml(stored), as_json(stored)

    same_place = apply_definitions(read(text))
    assert not same_place.changes_something, [each.diff for each in same_place.changes]
    assert as_yaml(export_definitions()) == text

    for source, is_json in ((text, False), (listed, True)):
        Task.objects.all().delete()
        elsewhere = apply_definitions(read(source, as_json=is_json))
        assert elsewhere.count(Outcome.CREATED) == len(defined)
        again = export_definitions()
        assert as_yaml(again) == text
        assert as_json(again) == listed


def test_an_export_holds_every_field_that_a_task_has_and_no_default(namespace: object) -> None:
    make_task(name="plain")
    assert export_definitions() == [
        {"kind": "task", "namespace": "default", "name": "plain", "handler": "shell", "params": {"command": "true"}}
    ]
    unusual: dict[str, Any] = {}
    for name, field in task_fields().items():
        choices = [value for value, _label in field.choices or () if value != field.get_default()]
        match field.get_internal_type():
            case "DateTimeField":
                unusual[name] = datetime(2050, 1, 1, 12, 30, 15, 250, tzinfo=UTC)
            case "BooleanField":
                unusual[name] = not field.get_default()
            case "JSONField":
                unusual[name] = {"command": "false"}
            case "ForeignKey":
                unusual[name] = Pool.objects.create(namespace=make_namespace(), name="shared", slots=8)
            case "ArrayField":
                unusual[name] = ["503"] if name.endswith("_on") else [7]
            case kind if kind.endswith("IntegerField"):
                unusual[name] = 7
            case "FloatField":
                unusual[name] = 7.5
            case _:
                unusual[name] = choices[0] if choices else f"{name}-x"
    make_task(name="unusual", **unusual)
    pool, found = export_definitions(names=["unusual"])
    assert pool == {"kind": "pool", "namespace": "default", "name": "shared", "slots": 8}
    assert found["pool"] == "shared"
    assert set(found) == {"kind", "namespace", "name", *task_fields()} - (
        {"run_at"} if unusual["trigger"] == "once" else set()
    )


def test_calendars_and_the_tasks_that_use_them_travel_together(namespace: object) -> None:
    text = """\
---
kind: calendar
namespace: default
name: holidays
description: |
  Germany,
  2026
rules:
  - effect: blackout
    kind: dates
    first_day: '2026-12-24'
    last_day: '2026-12-26'
    note: Christmas
  - effect: blackout
    kind: hours
    from_time: '22:00'
    until_time: 06:00
  - effect: blackout
    kind: weekdays
    weekdays:
      - 6
      - 7
  - effect: inclusion
    kind: yearly
    month: 2
    day: 29
---
kind: task
namespace: default
name: nightly
handler: shell
params:
  command: 'true'
trigger: cron
cron_expression: 0 12 * * *
calendars:
  - holidays
"""
    apply_definitions(read(text))
    assert as_yaml(export_definitions()) == text
    assert CalendarRule.objects.count() == 4
    listed = as_json(export_definitions())
    Task.objects.all().delete()
    Calendar.objects.all().delete()
    apply_definitions(read(listed, as_json=True))
    assert as_yaml(export_definitions()) == text


def test_a_selection_takes_along_only_the_calendars_that_it_uses(namespace: object) -> None:
    used, unused = (Calendar.objects.create(namespace=make_namespace(), name=name) for name in ("used", "unused"))
    make_task(name="a", owner="ops").calendars.add(used)
    make_task(name="b", namespace=make_namespace("other"))
    assert [each["name"] for each in export_definitions(owner="ops")] == ["used", "a"]
    assert [each["name"] for each in export_definitions(namespace="default")] == ["unused", "used", "a"]
    assert [each["name"] for each in export_definitions(names=["b"])] == ["b"]
    assert unused.name == "unused"
