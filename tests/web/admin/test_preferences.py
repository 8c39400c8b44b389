"""Everybody reads the admin in a language and a time zone of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import timezone

from accounts.admin.cells import absolute, exact_moment, moment
from accounts.models import User
from tests.factories import make_user

Login = Callable[[User], Client]
CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9"}
PAGE = "/admin/preferences/"


@pytest.fixture
def user(db: None) -> User:
    return make_user("ada")


def html_of(client: Client, path: str = PAGE, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def test_who_chose_nothing_gets_the_language_of_the_browser(user: User, login: Login) -> None:
    client = login(user)
    assert '<html lang="en"' in html_of(client)
    assert '<html lang="zh-hans"' in html_of(client, **CHINESE)


def test_a_chosen_language_and_zone_hold_whatever_the_browser_asks_for(user: User, login: Login) -> None:
    client = login(user)
    saved = client.post(PAGE, {"language": "en", "time_zone": "Asia/Shanghai"}, headers=CHINESE)
    assert saved.status_code == 302
    said = html_of(client, **CHINESE)
    assert '<html lang="en"' in said
    assert "CST, Asia/Shanghai" in said
    assert "Your preferences were saved." in said


def test_the_next_reader_does_not_inherit_the_zone_and_language(user: User, login: Login) -> None:
    User.objects.filter(pk=user.pk).update(language="zh-hans", time_zone="Asia/Shanghai")
    assert "Asia/Shanghai" in html_of(login(user))
    said = html_of(login(make_user("bob")))
    assert '<html lang="en"' in said
    assert "CST, Asia/Shanghai" not in said


def test_a_zone_that_does_not_exist_is_refused_and_nothing_is_kept(user: User, login: Login) -> None:
    answer = login(user).post(PAGE, {"language": "zh-hans", "time_zone": "Mars/Olympus"})
    assert answer.status_code == 200
    user.refresh_from_db()
    assert (user.language, user.time_zone) == ("", "")


def test_a_zone_that_this_machine_does_not_know_any_more_breaks_no_page(user: User, login: Login) -> None:
    User.objects.filter(pk=user.pk).update(time_zone="Mars/Olympus")
    assert "Mars/Olympus" not in html_of(login(user), "/admin/")


def test_the_switch_below_the_log_in_changes_this_browser(db: None) -> None:
    client = Client()
    assert 'value="zh-hans"' in html_of(client, "/admin/login/")
    changed = client.post("/admin/language/", {"language": "zh-hans", "next": "/admin/login/?next=/admin/"})
    assert changed.url == "/admin/login/?next=/admin/"  # type: ignore[attr-defined]  # a redirect has one
    assert '<html lang="zh-hans"' in html_of(client, "/admin/login/")


def test_the_switch_in_the_menu_is_remembered_with_the_user(user: User, login: Login) -> None:
    client = login(user)
    assert 'name="language" type="hidden" value="zh-hans"' in html_of(client)
    client.post("/admin/language/", {"language": "zh-hans"})
    assert '<html lang="zh-hans"' in html_of(login(user))
    client.post("/admin/language/", {"language": "tlh"})
    user.refresh_from_db()
    assert user.language == "zh-hans"


def test_a_switch_leads_to_no_other_site(user: User, login: Login) -> None:
    answer = login(user).post("/admin/language/", {"language": "en", "next": "https://example.com/"})
    assert answer.headers["Location"] == "/"


def test_who_is_not_logged_in_has_no_preferences(db: None) -> None:
    answer = Client().get(PAGE)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")


def test_a_moment_names_its_zone_and_is_readable_by_machines() -> None:
    at = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    with timezone.override("Europe/Berlin"):
        assert absolute(at) == "2026-10-25 02:30:00 CEST, Europe/Berlin"
        assert 'datetime="2026-10-25T00:30:00+00:00"' in moment(at)
        assert 'title="2026-10-25 02:30:00 CEST, Europe/Berlin"' in moment(at)
        assert '<time datetime="2026-10-25T00:30:00+00:00">2026-10-25 02:30:00 CEST' in exact_moment(at)
    with timezone.override("UTC"):
        assert absolute(at) == "2026-10-25 00:30:00 UTC"
