"""A caller learns who it is, and chooses how to be spoken to."""

from __future__ import annotations

from accounts.models import User
from tests.web.api.client import Client


def test_the_caller_sees_itself_with_its_roles(api: Client, ada: User) -> None:
    assert api.get("me/").ok() == {
        "username": "ada",
        "email": "",
        "is_superuser": False,
        "roles": [{"namespace": "default", "role": "administrator"}],
        "language": "",
        "time_zone": "",
    }


def test_the_caller_changes_its_preferences_and_nothing_else(api: Client, ada: User) -> None:
    changed = api.request(
        "PATCH", "me/", {"language": "zh-hans", "time_zone": "Asia/Shanghai", "is_superuser": True}
    ).ok()
    assert (changed["language"], changed["time_zone"], changed["is_superuser"]) == ("zh-hans", "Asia/Shanghai", False)
    ada.refresh_from_db()
    assert (ada.language, ada.time_zone, ada.is_superuser) == ("zh-hans", "Asia/Shanghai", False)


def test_a_language_and_a_zone_that_do_not_exist_are_refused(api: Client, ada: User) -> None:
    problems = api.request("PATCH", "me/", {"language": "tlh", "time_zone": "Mars/Olympus"}).problems()
    assert set(problems) == {"language", "time_zone"}
    assert "Mars/Olympus" in problems["time_zone"][0]
    ada.refresh_from_db()
    assert (ada.language, ada.time_zone) == ("", "")


def test_nobody_has_no_self() -> None:
    assert Client().get("me/").status == 401
