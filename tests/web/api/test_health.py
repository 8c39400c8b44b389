"""Does the process live, and can it work?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as DjangoClient
from django.utils import timezone

from scheduling.models import Scheduler, TaskClock
from scheduling.schema import missing_migrations
from tests.factories import make_task
from tests.support.processes import ROOT, environment

_ASK = """
import json, logging
from config.env import use_settings
use_settings("config.settings")
import django
django.setup()
logging.disable(logging.CRITICAL)
from django.test import Client
client = Client(headers={"host": "localhost"})
answers = {}
for path in ("/healthz", "/readyz"):
    answers[path] = (lambda answer: (answer.status_code, answer.json()))(client.get(path))
answer = client.post("/api/v1/auth/token/", {"username": "a", "password": "b"}, content_type="application/json")
answers["/api"] = (answer.status_code, answer.json(), answer.headers.get("Retry-After"))
print(json.dumps(answers))
"""


def _ask(env: Mapping[str, str]) -> Any:
    """What a process of its own answers in that environment."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK], cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_process_that_lives_says_so_without_asking_the_database(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        answer = DjangoClient().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-cache" in answer.headers["Cache-Control"]


@pytest.fixture
def scheduler(db: None) -> Scheduler:
    """A scheduler that has just been heard of."""
    return Scheduler.objects.create(name="s")


def test_a_process_whose_database_is_up_to_date_and_whose_schedulers_keep_up_is_ready(
    django_assert_max_num_queries: Any, scheduler: Scheduler
) -> None:
    DjangoClient().get("/readyz")
    with django_assert_max_num_queries(3):
        answer = DjangoClient().get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["checks"]["schedulers"] == {"ok": True, "alive": 1}
    assert answer.json()["checks"]["lag"] == {"ok": True, "seconds": 0}


@pytest.mark.parametrize("gone", ["stopped", "silent"])
def test_without_a_scheduler_that_lives_nothing_is_ready_but_the_web(scheduler: Scheduler, gone: str) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    Scheduler.objects.update(**{"stopped_at" if gone == "stopped" else "last_seen_at": long_ago})
    answer = DjangoClient().get("/readyz")
    assert answer.status_code == 503
    assert "runscheduler" in answer.json()["detail"]
    assert answer.json()["checks"]["database"] == {"ok": True}
    assert DjangoClient().get("/readyz?only=web").status_code == 200


def test_schedulers_that_are_far_behind_are_not_ready(scheduler: Scheduler) -> None:
    task = make_task(trigger="cron", cron_expression="0 0 * * *")
    TaskClock.objects.filter(task=task).update(next_run_at=timezone.now() - timedelta(minutes=5), dirty=False)
    answer = DjangoClient().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["lag"]["seconds"] >= 300
    assert "has been waiting for 30" in answer.json()["detail"]


def test_a_database_without_the_newest_migration_is_not_ready(db: None) -> None:
    newest = MigrationRecorder.Migration.objects.filter(app="workers").order_by("-name").first()
    assert newest is not None
    newest.delete()
    answer = DjangoClient().get("/readyz")
    assert answer.status_code == 503
    assert "migrate" in answer.json()["detail"]
    assert missing_migrations() == ["workers"]


def test_a_database_that_knows_more_migrations_than_this_code_is_ready(db: None) -> None:
    MigrationRecorder(connection).record_applied("workers", "9999_of_a_newer_release")
    assert DjangoClient().get("/readyz?only=web").status_code == 200


def test_a_database_that_was_never_migrated_is_not_ready(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO elsewhere")
    assert "migrate" in DjangoClient().get("/readyz").json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_process_lives_is_not_ready_and_tells_no_secret() -> None:
    secret = "postgresql://rota:hunter2@127.0.0.1:1/rota"
    answers = _ask(environment(DATABASE_URL=secret))
    assert answers["/healthz"] == [200, {"status": "ok"}]
    status, body = answers["/readyz"]
    assert (status, body["status"]) == (503, "unavailable")
    assert body["detail"]
    for piece in ("hunter2", "127.0.0.1", "rota:"):
        assert piece not in json.dumps(answers)


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_api_answers_503_with_a_sentence_and_when_to_try_again() -> None:
    status, body, retry_after = _ask(environment(DATABASE_URL="postgresql://rota@127.0.0.1:1/rota"))["/api"]
    assert status == 503
    assert set(body) == {"detail"}
    assert int(retry_after) > 0


def test_a_bug_is_answered_in_json_below_api_and_as_a_page_elsewhere(db: None) -> None:
    from django.test import RequestFactory

    from config.api_errors import server_error

    answer = server_error(RequestFactory().get("/api/v1/tasks/"))
    assert (answer.status_code, set(json.loads(answer.content))) == (500, {"detail"})
    assert b"<h1>" in server_error(RequestFactory().get("/admin/")).content
