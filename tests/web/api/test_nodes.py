"""What the API tells of nodes and schedulers, and what it lets be done to them."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from scheduling.models import Scheduler
from tests.factories import make_namespace, make_user
from tests.web.api.client import Client, client_of
from workers.models import Node


def test_schedulers_are_listed_with_their_health_and_lag(api: Client) -> None:
    Scheduler.objects.create(name="gone", last_seen_at=timezone.now() - timedelta(hours=1))
    Scheduler.objects.create(name="alive", lag_seconds=0.5, counts={"fired": 7})
    rows = api.results("schedulers/")
    assert [(row["name"], row["health"], row["lag_seconds"]) for row in rows] == [
        ("alive", "online", 0.5),
        ("gone", "lost", 0.0),
    ]
    assert rows[0]["counts"] == {"fired": 7}


def test_there_is_no_node_with_the_character_nul_in_its_name(ada: User) -> None:
    root = client_of(make_user(superuser=True))
    assert root.post("nodes/a%00/drain/", {}).status == 404
    assert root.post("nodes/a%00/resume/").status == 404


def test_a_node_is_drained_and_resumed(api: Client) -> None:
    Node.objects.create(name="db 3", incarnation=1)
    drained = api.post("nodes/db 3/drain/", {"reason": "new disk"}).ok()
    assert (drained["health"], drained["held_by"], drained["held_reason"]) == ("draining", "ada", "new disk")
    again = api.post("nodes/db 3/drain/").ok()
    assert (again["held_at"], again["held_reason"]) == (drained["held_at"], "new disk"), "it stays as it was"
    for _ in range(2):
        resumed = api.post("nodes/db 3/resume/").ok()
        assert (resumed["health"], resumed["held_at"], resumed["held_by"]) == ("online", None, "")


def test_a_node_that_serves_every_namespace_is_drained_by_nobody_who_operates_in_some_only(api: Client) -> None:
    Node.objects.create(name="n", incarnation=1)
    make_namespace("other")
    assert api.post("nodes/n/drain/").status == 403
    assert api.post("nodes/n/resume/").status == 403
    assert Node.objects.get().held_at is None
    both = client_of(make_user(default=Role.OPERATOR, other=Role.OPERATOR))
    assert both.post("nodes/n/drain/").status == 200


def test_a_node_that_does_not_exist_cannot_be_drained(api: Client) -> None:
    assert api.post("nodes/nowhere/drain/").status == 404
    assert (
        "raeson" in api.post(f"nodes/{Node.objects.create(name='n', incarnation=1)}/drain/", {"raeson": 1}).problems()
    )


def test_what_is_counted_of_a_machine_is_a_whole_number_and_what_is_unknown_is_left_out(api: Client) -> None:
    Node.objects.create(name="a", incarnation=1, machine={"load": 1.25, "cpus": 4.0, "memory_bytes": 2.0**33})
    Node.objects.create(name="b", incarnation=2)
    told, silent = (row["machine"] for row in api.results("nodes/"))
    assert {name: (type(value), value) for name, value in told.items()} == {
        "load": (float, 1.25),
        "cpus": (int, 4),
        "memory_bytes": (int, 2**33),
    }
    assert silent == {}
