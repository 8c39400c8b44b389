"""/metrics: what Prometheus reads, and who else may."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client as DjangoClient
from prometheus_client.parser import text_string_to_metric_families

import config.metrics
from config.benchmarks.statements import statements_sent
from scheduling.db import Connection, database_now
from scheduling.domain.states import EntryState
from scheduling.models import QueueEntry, Scheduler
from tests.engine.work import claimed_by, ready
from tests.factories import make_registration, make_user
from tests.support.processes import ROOT
from workers.domain.states import NodeState
from workers.engine.heartbeat import heartbeat
from workers.engine.hold import hold
from workers.engine.note_check import note_check
from workers.models import PromiseCheck
from workers.vitals import STATE_WORDS, Vitals

TOKEN = "a token that only Prometheus knows"

Samples = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture(autouse=True)
def _fresh(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token, and no numbers that another test has read."""
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(config.metrics, "_vitals", Vitals())


def scrape() -> Samples:
    """What a scrape finds: value by name and labels."""
    answer = DjangoClient().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_the_queue_the_schedulers_and_the_nodes_are_counted(conn: Connection) -> None:
    node = make_registration(conn, name="n1", slots=4)
    ready(conn, 3)
    claimed_by(conn, node)
    QueueEntry.objects.filter(state=0).update(run_at=database_now(conn) - timedelta(seconds=90))
    counts = {"claimed": 5, "succeeded": 3, "failed": 1, "refused": 2, "seconds": 7}
    heartbeat(conn, node_id=node.node_id, incarnation=node.incarnation, state=NodeState.ONLINE, busy=1, counts=counts)
    hold(conn, name="n1", by="ada")
    Scheduler.objects.create(name="s1", lag_seconds=0.25, counts={"fired": 9, "reaped": 2})
    note_check(conn)
    found = scrape()
    expected: Samples = {
        ("rota_queue_entries", ("default", "ready")): 2,
        ("rota_queue_entries", ("default", "running")): 1,
        ("rota_schedulers_alive", ()): 1,
        ("rota_overdue_seconds", ()): 0,
        ("rota_scheduler_lag_seconds", ("s1",)): 0.25,
        ("rota_fired_total", ("s1",)): 9,
        ("rota_scheduler_done_total", ("s1", "reaped")): 2,
        ("rota_node_up", ("n1",)): 1,
        ("rota_node_held", ("n1",)): 1,
        ("rota_node_slots", ("n1",)): 4,
        ("rota_node_busy_slots", ("n1",)): 1,
        ("rota_claimed_total", ("n1",)): 5,
        ("rota_attempts_total", ("n1", "succeeded")): 3,
        ("rota_attempts_total", ("n1", "failed")): 1,
        ("rota_reports_refused_total", ("n1",)): 2,
        ("rota_attempt_seconds_total", ("n1",)): 7,
        ("rota_broken_promises", ("every_task_has_a_clock",)): 0,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["rota_queue_oldest_ready_seconds", ("default",)] >= 90


def test_a_broken_promise_shows_when_a_scheduler_has_looked_and_how_old_that_is(conn: Connection) -> None:
    ready(conn, 2)
    conn.execute("DELETE FROM rota_queue_entry")
    name, age = (
        ("rota_broken_promises", ("every_unfinished_instance_is_in_the_queue",)),
        ("rota_broken_promises_age_seconds", ()),
    )
    assert not {name, age} & scrape().keys(), "nobody has looked yet"
    assert note_check(conn)
    found = scrape()
    assert found[name] == 2
    conn.execute("DELETE FROM rota_instance")
    assert not note_check(conn), "a minute has not gone by"
    PromiseCheck.objects.update(
        begun_at=F("begun_at") - timedelta(minutes=2), checked_at=F("checked_at") - timedelta(minutes=2)
    )
    found = scrape()
    assert found[name] == 2, "from the same look"
    assert found[age] >= 120
    assert note_check(conn)
    found = scrape()
    assert (found[name], found[age] < 120) == (0, True)


def test_nobody_who_reads_the_numbers_goes_through_the_history(conn: Connection) -> None:
    ready(conn, 2)
    with statements_sent() as sent:
        scrape()
    assert not [text for text in sent if "rota_instance" in text or "rota_execution" in text]


def test_only_the_token_and_people_in_the_admin_are_let_in(conn: Connection, settings: Any) -> None:
    stranger, person, staff = DjangoClient(), DjangoClient(), DjangoClient()
    person.force_login(make_user(staff=False))
    staff.force_login(make_user())
    for client, headers in (
        (stranger, {}),
        (person, {}),
        (stranger, {"Authorization": "Bearer wrong"}),
        (stranger, {"Authorization": "Bearer"}),
        (staff, {"Authorization": "Bearer wrong"}),
    ):
        refused = client.get("/metrics", headers=headers)
        assert refused.status_code == 401
        assert "Bearer" in refused.headers["WWW-Authenticate"]
        assert b"rota_" not in refused.content
    assert staff.get("/metrics").status_code == 200
    settings.METRICS_TOKEN = None
    assert stranger.get("/metrics", headers={"Authorization": "Bearer None"}).status_code == 401
    assert stranger.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
    assert staff.post("/metrics").status_code == 405


def test_the_dashboard_asks_for_metrics_that_there_are(conn: Connection) -> None:
    make_registration(conn)
    ready(conn)
    Scheduler.objects.create(name="s1", counts={"reaped": 1})
    note_check(conn)
    dashboard = json.loads((ROOT / "docs" / "grafana.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"rota_\w+", target["expr"])
    }
    assert len(asked) > 10
    assert asked <= {name for name, _labels in scrape()}
    documented = set(re.findall(r"`(rota_\w+)`", (ROOT / "docs" / "operate.md").read_text()))
    assert {name for name, _labels in scrape()} <= documented


def test_every_state_of_the_queue_has_a_word() -> None:
    assert set(STATE_WORDS) == set(EntryState)
    assert len(set(STATE_WORDS.values())) == len(EntryState)
