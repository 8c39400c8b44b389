"""Connections hide their passwords; nodes show how they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from scheduling.models import Scheduler
from tests.factories import make_namespace, make_user
from workers.admin.connection_form import MASK, masked_url
from workers.models import Connection, Node

pytestmark = pytest.mark.django_db

URL = "postgresql+psycopg://reports:s3cret@db.example:5432/sales?sslmode=require"


@pytest.fixture
def sales() -> Connection:
    """A connection with a password in it."""
    return Connection.objects.create(namespace=make_namespace(), name="sales", url=URL)


def save(client: Client, connection: Connection, url: str) -> Any:
    """Post the form of the connection with this URL."""
    address = reverse("admin:workers_connection_change", args=[connection.pk])
    return client.post(address, {"name": connection.name, "url": url})


def test_the_password_of_a_connection_is_on_no_page(
    root: Client, login: Callable[[User], Client], sales: Connection
) -> None:
    viewer = login(make_user(default=Role.VIEWER))

    for client in (root, viewer):
        for name, args in (("changelist", []), ("change", [sales.pk])):
            page = client.get(reverse(f"admin:workers_connection_{name}", args=args)).content.decode()
            assert "s3cret" not in page
            assert f"reports:{MASK}@db.example" in page


def test_a_mask_left_alone_keeps_the_password(root: Client, sales: Connection) -> None:
    response = save(root, sales, masked_url(URL))

    sales.refresh_from_db()
    assert response.status_code == 302
    assert sales.url == URL


@pytest.mark.parametrize("url", ["postgresql://app@corp:s3cret@db/sales", "postgresql://u:p@s3cret/%40:x@db/sales"])
def test_a_mask_keeps_a_password_of_any_letters_and_nothing_beside_it_may_change(
    root: Client, sales: Connection, url: str
) -> None:
    save(root, sales, url)
    address = reverse("admin:workers_connection_change", args=[sales.pk])
    shown = root.get(address).context["adminform"].form["url"].value()
    assert "s3cret" not in shown

    refused = save(root, sales, shown.replace("@db/", "@evil/"))
    assert "Type the password again" in refused.context["adminform"].form.errors["url"][0]
    assert save(root, sales, shown).status_code == 302

    sales.refresh_from_db()
    assert sales.url == url


def test_a_stored_password_is_not_sent_to_another_server(root: Client, sales: Connection) -> None:
    response = save(root, sales, masked_url(URL).replace("db.example", "evil.example"))

    sales.refresh_from_db()
    assert "Type the password again" in response.context["adminform"].form.errors["url"][0]
    assert sales.url == URL


def test_a_new_password_replaces_the_old_one(root: Client, sales: Connection) -> None:
    save(root, sales, URL.replace("s3cret", "n3w"))

    sales.refresh_from_db()
    assert "n3w" in sales.url


def test_what_is_no_url_is_refused_beside_the_field(root: Client) -> None:
    response = root.post(
        reverse("admin:workers_connection_add"), {"namespace": make_namespace().pk, "name": "x", "url": "s3cret"}
    )

    assert list(response.context["adminform"].form.errors) == ["url"]
    assert "s3cret" not in response.context["adminform"].form.errors["url"][0]
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///data.db", "sqlite:///data.db"),
        ("postgresql://u:${ROTA_SECRET_DB}@h/d", "postgresql://u:${ROTA_SECRET_DB}@h/d"),
        ("postgresql://u:x${ROTA_SECRET_DB}@h/d", f"postgresql://u:{MASK}@h/d"),
        (
            "mysql+pymysql://h/d?user=u&password=p&charset=utf8",
            f"mysql+pymysql://h/d?user=u&password={MASK}&charset=utf8",
        ),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dp", f"mssql+pyodbc:///?odbc_connect={MASK}"),
        (
            "postgresql+psycopg://app@corp:S3cret@db.example/sales",
            f"postgresql+psycopg://app@corp:{MASK}@db.example/sales",
        ),
        ("postgresql://u:a/b:c%40d?e@h:5432/d", f"postgresql://u:{MASK}@h:5432/d"),
        ("postgresql://u:p@ss@w0rd@h/d?x=a@b", f"postgresql://u:{MASK}@h/d?x=a@b"),
        ("postgresql://team/u:secret@h/d", f"postgresql://team/u:{MASK}@h/d"),
        ("postgresql://u%3Ax:secret@h/d", f"postgresql://u%3Ax:{MASK}@h/d"),
        ("postgresql://:secret@h/d", f"postgresql://:{MASK}@h/d"),
        ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d"),
        ("postgresql://[::1]:5432/d", "postgresql://[::1]:5432/d"),
        ("postgresql:///d?host=/run/pg&sslkey_password=p#x", f"postgresql:///d?host=/run/pg&sslkey_password={MASK}"),
    ],
)
def test_a_url_is_shown_without_what_is_secret_in_it(url: str, shown: str) -> None:
    assert masked_url(url) == shown


def test_a_node_that_went_silent_is_shown_as_lost(root: Client) -> None:
    now = timezone.now()
    Node.objects.create(name="alive", incarnation=1, queues=["default"], handlers=["http"], slots=4, busy=3)
    Node.objects.create(name="silent", incarnation=2, last_seen_at=now - timedelta(hours=1))

    page = root.get(reverse("admin:workers_node_changelist")).content.decode()

    assert ">online</span>" in page
    assert ">lost</span>" in page
    assert "3 of 4" in page


def test_schedulers_show_how_late_they_are_and_who_is_gone(root: Client) -> None:
    Scheduler.objects.create(name="prompt-1", lag_seconds=0.012, counts={"fired": 31})
    silent = Scheduler.objects.create(name="gone-2", last_seen_at=timezone.now() - timedelta(hours=1))

    page = root.get(reverse("admin:scheduling_scheduler_changelist")).content.decode()

    for text in (">online</span>", ">lost</span>", "12 ms", ">31<"):
        assert text in page
    assert root.get(reverse("admin:scheduling_scheduler_change", args=[silent.pk])).status_code == 200


def test_draining_a_node_asks_once_more_and_says_what_happens(root: Client) -> None:
    node = Node.objects.create(name="db3", incarnation=1, busy=2)
    changelist = reverse("admin:workers_node_changelist")

    asked = root.post(changelist, {"action": "drain_chosen", "_selected_action": [node.pk]}, follow=True)
    assert "2 executions run there. What has not finished after 30 s is stopped" in asked.content.decode()
    assert Node.objects.get().held_at is None

    done = root.post(reverse("admin:workers_node_drain"), {"node": [node.pk], "reason": "new disk"}, follow=True)
    assert "1 node takes nothing more until it is resumed." in done.content.decode()
    assert (Node.objects.get().held_reason, Node.objects.get().state) == ("new disk", "draining")

    page = root.get(reverse("admin:workers_node_change", args=[node.pk])).content.decode()
    assert "new disk" in page
    assert "Db3" not in page, "its name stands there as it is, also where the page says where one is"
    assert root.get(reverse("admin:workers_node_resume", args=[node.pk])).status_code == 405
    root.post(reverse("admin:workers_node_resume", args=[node.pk]))
    assert Node.objects.get().held_at is None


def test_nobody_drains_a_node_who_may_not_operate_everywhere(login: Callable[[User], Client]) -> None:
    node = Node.objects.create(name="db3", incarnation=1)
    make_namespace("other")
    client = login(make_user(default=Role.ADMINISTRATOR))

    page = client.get(reverse("admin:workers_node_change", args=[node.pk])).content.decode()
    refused = client.post(reverse("admin:workers_node_drain"), {"node": [node.pk]})

    assert "Drain" not in page
    assert refused.status_code == 403
    assert Node.objects.get().held_at is None
