"""Roles are read once for each request, and a role that is taken away counts from the next one on."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership
from accounts.permissions import permitted_ids, roles_remembered
from accounts.roles import Action, Role
from tests.factories import make_namespace, make_task, make_user


def test_within_a_request_roles_are_read_once_for_all_that_is_asked(db: None) -> None:
    user, pk = make_user(default=Role.OPERATOR), make_namespace().pk
    with CaptureQueriesContext(connection) as queries, roles_remembered():
        assert permitted_ids(user) == permitted_ids(user, Action.OPERATE) == {pk}
        assert permitted_ids(user, Action.ADMINISTER) == frozenset()
    assert len(queries) == 1


def test_outside_of_requests_nothing_is_remembered(db: None) -> None:
    user = make_user(default=Role.VIEWER)
    with roles_remembered():
        assert permitted_ids(user)
    Membership.objects.all().delete()
    assert permitted_ids(user) == frozenset()


def test_a_role_that_is_taken_away_counts_from_the_next_request_on(db: None) -> None:
    task, user, client = make_task(), make_user(default=Role.VIEWER), Client()
    make_namespace("other")
    Membership.objects.create(user=user, namespace=make_namespace("other"), role=Role.VIEWER)
    client.force_login(user)
    assert task.name in client.get("/admin/scheduling/task/").content.decode()
    Membership.objects.filter(namespace__name="default").delete()
    assert task.name not in client.get("/admin/scheduling/task/").content.decode()
