"""Calendars over the API: rules nested, holidays imported, days shown, and nothing half-saved."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from scheduling.models import Calendar, CalendarRule, Task
from tests.factories import make_namespace, make_task, make_user
from tests.web.api.client import Client, client_of

WEEKEND = {"effect": "blackout", "kind": "weekdays", "weekdays": [6, 7], "note": "Weekend"}
MAKE_UP = {"effect": "inclusion", "kind": "dates", "first_day": "2026-10-10", "note": "Make-up working day"}


def made(api: Client, **over: Any) -> Any:
    """A stored calendar, as the API shows it."""
    return api.post("calendars/", {"name": "office days", "rules": [WEEKEND, MAKE_UP], **over}).created()


def test_a_calendar_is_made_with_its_rules_and_shown_again(api: Client) -> None:
    calendar = made(api)
    assert api.get(f"calendars/{calendar['id']}/").ok() == calendar
    assert [rule["note"] for rule in calendar["rules"]] == ["Weekend", "Make-up working day"]
    assert calendar["rules"][0]["weekdays"] == [6, 7]
    assert api.results("calendars/?name=office days") == [calendar]
    assert api.results("calendars/?name=other") == []


def test_a_change_without_rules_leaves_them_and_one_with_rules_replaces_them(api: Client) -> None:
    path = f"calendars/{made(api)['id']}/"
    changed = api.request("PATCH", path, {"description": "ours"}).ok()
    assert (changed["description"], len(changed["rules"])) == ("ours", 2)
    assert [rule["note"] for rule in api.request("PATCH", path, {"rules": [MAKE_UP]}).ok()["rules"]] == [
        "Make-up working day"
    ]
    replaced = api.request("PUT", path, {"name": "renamed"}).ok()
    assert (replaced["name"], replaced["description"], replaced["rules"]) == ("renamed", "", [])


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"kind": "dates"}, "first_day"),
        ({"kind": "dates", "first_day": "2026-05-02", "last_day": "2026-05-01"}, "last_day"),
        ({"kind": "yearly", "month": 2, "day": 30}, "day"),
        ({"kind": "yearly", "month": 13, "day": 1}, "month"),
        ({"kind": "weekdays", "weekdays": []}, "weekdays"),
        ({"kind": "hours"}, "from_time"),
        ({"kind": "hours", "from_time": "08:00", "until_time": "08:00"}, "until_time"),
        ({"kind": "weekdays", "weekdays": [1], "month": 3}, "month"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place_and_nothing_is_stored(
    api: Client, rule: dict[str, Any], field: str
) -> None:
    problems = api.post("calendars/", {"name": "wrong", "rules": [WEEKEND, rule]}).problems()
    assert list(problems["rules"]["1"]) == [field]
    assert not Calendar.objects.exists()
    path = f"calendars/{made(api)['id']}/"
    api.request("PATCH", path, {"name": "renamed", "rules": [rule]}).problems()
    assert api.get(path).ok()["name"] == "office days"
    assert CalendarRule.objects.count() == 2


def test_a_name_is_taken_once_in_a_namespace(api: Client) -> None:
    made(api)
    assert "name" in api.post("calendars/", {"name": "office days"}).problems()


def test_a_task_uses_calendars_by_their_names(api: Client) -> None:
    made(api)
    task = {"name": "report", "handler": "shell", "params": {"command": "true"}, "trigger": "manual"}
    stored = api.post("tasks/", {**task, "calendars": ["office days"]}).created()
    assert stored["calendars"] == ["office days"]
    assert api.results("calendars/")[0]["tasks"] == ["report"]
    path = f"tasks/{stored['id']}/"
    assert api.request("PATCH", path, {"priority": 1}).ok()["calendars"] == ["office days"]
    refused = api.request("PATCH", path, {"priority": 2, "calendars": ["holidays"]}).problems()
    assert refused == {"calendars": ["There is no calendar “holidays” in this namespace."]}
    assert api.get(path).ok()["priority"] == 1
    assert api.request("PUT", path, task).ok()["calendars"] == []


def test_a_calendar_of_another_namespace_is_none_for_a_task(ada: User, api: Client) -> None:
    Calendar.objects.create(namespace=make_namespace("other"), name="theirs")
    task = {"name": "report", "handler": "shell", "params": {"command": "true"}, "trigger": "manual"}
    assert "calendars" in api.post("tasks/", {**task, "calendars": ["theirs"]}).problems()
    assert not Task.objects.exists()


def test_a_calendar_that_blacks_out_every_tick_of_a_task_is_refused_on_both_sides(api: Client) -> None:
    made(api, name="never", rules=[{"kind": "weekdays", "weekdays": [1, 2, 3, 4, 5, 6, 7]}])
    made(api, name="weekends", rules=[WEEKEND])
    task = {
        "name": "saturdays",
        "handler": "shell",
        "params": {"command": "true"},
        "trigger": "cron",
        "cron_expression": "0 8 * * sat",
    }
    refused = api.post("tasks/", {**task, "calendars": ["never"]}).problems()
    assert refused == {"calendars": ["No tick within a year is left; “never” blacks out the next one."]}
    assert "calendars" in api.post("tasks/", {**task, "calendars": ["weekends"]}).problems()
    weekdays = {**task, "cron_expression": "0 8 * * *", "calendars": ["weekends"]}
    assert api.post("tasks/", weekdays).created()["calendars"] == ["weekends"]
    calendar = api.results("calendars/?name=weekends")[0]
    everything = [WEEKEND, {"kind": "weekdays", "weekdays": [1, 2, 3, 4, 5]}]
    refused = api.request("PATCH", f"calendars/{calendar['id']}/", {"rules": everything}).problems()
    assert refused == {"rules": ["This would leave no tick within a year to “saturdays”."]}
    assert len(api.get(f"calendars/{calendar['id']}/").ok()["rules"]) == 1


def test_the_holidays_of_china_come_with_their_make_up_working_days_and_only_once(api: Client) -> None:
    path = f"calendars/{made(api, rules=[])['id']}/import-holidays/"
    first = api.post(path, {"country": "cn", "years": [2026], "weekends": True}).ok()
    assert {"2026-01-01", "2026-02-17", "2026-10-01"} <= {rule["first_day"] for rule in first["holidays"]}
    assert "2026-10-10" in {rule["first_day"] for rule in first["make_up_days"]}
    assert [rule["weekdays"] for rule in first["weekends"]] == [[6, 7]]
    again = api.post(path, {"country": "CN", "years": [2026], "weekends": True}).ok()
    assert (again["holidays"], again["make_up_days"], again["weekends"]) == ([], [], [])
    assert again["known"] == len(first["holidays"]) + len(first["make_up_days"])


def test_a_subdivision_has_holidays_of_its_own(api: Client) -> None:
    path = f"calendars/{made(api, rules=[])['id']}/import-holidays/"
    country = api.post(path, {"country": "DE", "years": [2026]}).ok()
    more = api.post(path, {"country": "DE", "subdivision": "by", "years": [2026]}).ok()
    assert "2026-01-06" not in {rule["first_day"] for rule in country["holidays"]}
    assert "2026-01-06" in {rule["first_day"] for rule in more["holidays"]}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"country": "ZZ", "years": [2026]}, "country"),
        ({"country": "DE", "subdivision": "QQ", "years": [2026]}, "subdivision"),
        ({"country": "CN", "years": []}, "years"),
        ({"country": "CN", "years": [26]}, "years"),
        ({"country": "CN", "years": list(range(1990, 2040))}, "years"),
        ({"country": "CN", "years": [2026], "weekend": True}, "weekend"),
    ],
)
def test_an_import_that_makes_no_sense_is_refused(api: Client, asked: dict[str, Any], field: str) -> None:
    path = f"calendars/{made(api, rules=[])['id']}/import-holidays/"
    assert field in api.post(path, asked).problems()
    assert not CalendarRule.objects.exists()


def test_the_days_of_a_range_are_shown_with_the_rules_that_have_a_say(api: Client) -> None:
    night = {"kind": "hours", "from_time": "22:00", "until_time": "06:00", "note": "Night"}
    path = f"calendars/{made(api, rules=[WEEKEND, MAKE_UP])['id']}/"
    days = api.get(f"{path}days/?first=2026-10-09&last=2026-10-11").ok()
    assert [(day["day"], day["state"]) for day in days] == [
        ("2026-10-09", "open"),
        ("2026-10-10", "included"),
        ("2026-10-11", "blacked_out"),
    ]
    assert [rule["note"] for rule in days[1]["rules"]] == ["Make-up working day", "Weekend"]
    api.request("PATCH", path, {"rules": [night]}).ok()
    assert {day["state"] for day in api.get(f"{path}days/?first=2026-10-09&last=2026-10-11").ok()} == {"partly"}
    assert "last" in api.get(f"{path}days/?first=2026-10-09&last=2026-10-08").problems()
    assert "last" in api.get(f"{path}days/?first=2026-10-09&last=2028-10-08").problems()


def test_a_calendar_that_a_task_uses_is_not_deleted(api: Client) -> None:
    calendar = made(api)
    task = make_task(name="report")
    task.calendars.add(calendar["id"])
    refused = api.request("DELETE", f"calendars/{calendar['id']}/").problems()
    assert refused == {"detail": "“office days” is used by “report”; take it off there first."}
    task.calendars.clear()
    assert api.request("DELETE", f"calendars/{calendar['id']}/").status == 204
    assert not Calendar.objects.exists()


def test_somebody_without_the_role_sees_calendars_and_changes_none(api: Client) -> None:
    calendar = made(api)
    reader = client_of(make_user("reader", default=Role.OPERATOR))
    path = f"calendars/{calendar['id']}/"
    assert reader.get(path).ok() == calendar
    assert reader.post("calendars/", {"name": "mine"}).status == 403
    assert reader.request("PATCH", path, {"rules": []}).status == 403
    assert reader.request("DELETE", path).status == 403
    assert reader.post(f"{path}import-holidays/", {"country": "CN", "years": [2026]}).status == 403
    stranger = client_of(make_user("stranger"))
    assert stranger.get(path).status == 404
    assert CalendarRule.objects.count() == 2


def test_the_first_and_the_last_day_that_there_are_can_be_looked_at(api: Client) -> None:
    night = {"effect": "blackout", "kind": "hours", "from_time": "22:00", "until_time": "06:00"}
    path = f"calendars/{made(api, rules=[night])['id']}/days/"
    for first, last in (("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31")):
        days = api.get(f"{path}?first={first}&last={last}").ok()
        assert [day["state"] for day in days] == ["partly", "partly"]
