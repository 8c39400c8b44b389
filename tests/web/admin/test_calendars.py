"""Calendars in the admin: rules, the month, public holidays, and tasks that use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from scheduling.models import Calendar, CalendarRule, Task
from tests.factories import make_namespace, make_task, make_user
from tests.web.admin.task_post import add, errors

pytestmark = pytest.mark.django_db


def make_calendar(name: str = "office days", *rules: dict[str, Any]) -> Calendar:
    """A stored calendar; without rules it blacks out weekends."""
    calendar = Calendar.objects.create(namespace=make_namespace(), name=name)
    for rule in rules or ({"kind": "weekdays", "weekdays": [6, 7], "note": "Weekend"},):
        CalendarRule.objects.create(calendar=calendar, **rule)
    return calendar


def posted(*rules: dict[str, Any], calendar: Calendar | None = None, **over: Any) -> dict[str, Any]:
    """What a browser posts for the form of a calendar."""
    data: dict[str, Any] = {"name": "office days", "description": "", **over}
    if calendar is None:
        data["namespace"] = make_namespace().pk
    stored = [rule for rule in rules if "id" in rule]
    data |= {"rules-TOTAL_FORMS": len(rules), "rules-INITIAL_FORMS": len(stored)}
    for number, rule in enumerate(rules):
        row = {"effect": "blackout", "kind": "dates", **rule}
        data |= {f"rules-{number}-{name}": value for name, value in row.items()}
        if calendar is not None:
            data[f"rules-{number}-calendar"] = calendar.pk
    return data


def page(calendar: Calendar, name: str = "change") -> str:
    return reverse(f"admin:scheduling_calendar_{name}", args=[calendar.pk])


def test_a_calendar_is_made_together_with_its_rules(root: Client) -> None:
    rules = (
        {"kind": "weekdays", "weekdays": ["6", "7"], "note": "Weekend"},
        {"kind": "hours", "from_time": "22:00", "until_time": "06:00"},
        {"effect": "inclusion", "first_day": "2026-10-10"},
    )
    response = root.post(reverse("admin:scheduling_calendar_add"), posted(*rules))
    assert response.status_code == 302, errors(response)
    calendar = Calendar.objects.get(name="office days")
    assert [(rule.effect, rule.kind) for rule in calendar.rules.order_by("id")] == [
        ("blackout", "weekdays"),
        ("blackout", "hours"),
        ("inclusion", "dates"),
    ]
    assert calendar.rules.get(kind="weekdays").weekdays == [6, 7]


def test_a_rule_is_changed_one_is_deleted_and_one_is_added_at_once(root: Client) -> None:
    calendar = make_calendar("office days", {"first_day": "2026-05-01"}, {"first_day": "2026-05-02"})
    first, second = calendar.rules.order_by("id")
    rules = (
        {"id": first.pk, "first_day": "2026-05-03"},
        {"id": second.pk, "first_day": "2026-05-02", "DELETE": "on"},
        {"kind": "yearly", "month": "12", "day": "25"},
    )
    response = root.post(page(calendar), posted(*rules, calendar=calendar))
    assert response.status_code == 302
    assert [str(rule.first_day) for rule in calendar.rules.filter(kind="dates")] == ["2026-05-03"]
    assert calendar.rules.get(kind="yearly").month == 12


def test_a_wrong_rule_is_refused_beside_its_field_and_nothing_is_stored(root: Client) -> None:
    response: Any = root.post(
        reverse("admin:scheduling_calendar_add"), posted({"kind": "yearly", "month": "2", "day": "30"})
    )
    assert response.status_code == 200
    (formset,) = response.context["inline_admin_formsets"]
    assert formset.formset.errors == [{"day": ["Give a day from 1 to 29."]}]
    assert not Calendar.objects.exists()


def test_a_name_that_is_taken_is_refused(root: Client) -> None:
    make_calendar()
    assert root.post(reverse("admin:scheduling_calendar_add"), posted()).status_code == 200
    assert Calendar.objects.count() == 1


def test_rules_that_would_leave_a_task_no_tick_are_refused_with_its_name(root: Client) -> None:
    calendar = make_calendar()
    task = make_task(name="report", trigger="cron", cron_expression="0 8 * * *")
    task.calendars.add(calendar)
    rule = calendar.rules.get()
    everything = {"id": rule.pk, "kind": "weekdays", "weekdays": list("1234567")}
    response = root.post(page(calendar), posted(everything, calendar=calendar))
    assert response.status_code == 200
    assert "This would leave no tick within a year to “report”." in response.content.decode()
    rule.refresh_from_db()
    assert rule.weekdays == [6, 7]


def test_the_month_shows_what_is_blacked_out_and_what_runs_after_all(root: Client) -> None:
    calendar = make_calendar(
        "China",
        {"kind": "weekdays", "weekdays": [6, 7], "note": "Weekend"},
        {"effect": "inclusion", "first_day": "2026-10-10", "note": "Make-up working day"},
        {"first_day": "2026-10-01", "last_day": "2026-10-03", "note": "National Day"},
        {"first_day": "2026-10-20", "from_time": "12:00", "note": "Half a day"},
    )
    response: Any = root.get(page(calendar, "month"), {"month": "2026-10"})
    cells = {f"{cell['day']:%m-%d}": cell for week in response.context["weeks"] for cell in week}
    assert {day: cells[day]["state"] for day in ("10-01", "10-05", "10-10", "10-11", "10-20")} == {
        "10-01": "blacked-out",
        "10-05": "open",
        "10-10": "included",
        "10-11": "blacked-out",
        "10-20": "partly",
    }
    assert cells["10-20"]["rules"] == [("blackout", "Half a day 12:00–24:00")]
    assert [len(week) for week in response.context["weeks"]] == [7] * 5
    body = response.content.decode()
    assert "Make-up working day" in body
    assert "month=2026-09" in body
    assert "month=2026-11" in body


@pytest.mark.parametrize("asked", ["", "never", "2026-13", "99999-01", "2026"])
def test_a_month_that_there_is_not_is_the_present_one(root: Client, asked: str) -> None:
    response: Any = root.get(page(make_calendar(), "month"), {"month": asked})
    assert any(cell["today"] and cell["inside"] for week in response.context["weeks"] for cell in week)


def test_public_holidays_are_added_once_and_the_month_of_the_first_is_shown(root: Client) -> None:
    calendar = make_calendar("China", {"first_day": "2000-01-01"})
    data = {"country": "CN", "subdivision": "", "years": "2025–2026", "weekends": "on"}
    response: Any = root.post(page(calendar, "holidays"), data)
    assert response.url == f"{page(calendar, 'month')}?month=2025-01"
    count = calendar.rules.count()
    assert calendar.rules.filter(effect="inclusion", first_day="2026-10-10").exists()
    root.post(page(calendar, "holidays"), data)
    assert calendar.rules.count() == count


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"country": "ZZ", "years": "2026"}, "country"),
        ({"country": "DE", "subdivision": "QQ", "years": "2026"}, "subdivision"),
        ({"country": "DE", "years": "next"}, "years"),
        ({"country": "DE", "years": "2026-2025"}, "years"),
    ],
)
def test_an_import_that_makes_no_sense_is_refused_beside_its_field(
    root: Client, data: dict[str, str], field: str
) -> None:
    response: Any = root.post(page(make_calendar(), "holidays"), data)
    assert list(response.context["form"].errors) == [field]


def test_a_calendar_that_a_task_uses_cannot_be_deleted(root: Client) -> None:
    calendar = make_calendar()
    make_task(name="report").calendars.add(calendar)
    response = root.post(page(calendar, "delete"), {"post": "yes"})
    assert "report" in response.content.decode()
    assert Calendar.objects.exists()
    Task.objects.get().calendars.clear()
    root.post(page(calendar, "delete"), {"post": "yes"})
    assert not Calendar.objects.exists()


def test_a_task_takes_calendars_in_its_form(root: Client) -> None:
    calendar = make_calendar()
    response = add(
        root, "shell", param_command="true", trigger="cron", cron_expression="0 8 * * *", calendars=[calendar.pk]
    )
    assert response.status_code == 302
    assert list(Task.objects.get(name="new").calendars.all()) == [calendar]
    list_page = root.get(reverse("admin:scheduling_calendar_changelist")).content.decode()
    assert "new" in list_page


def test_a_task_to_which_its_calendars_would_leave_no_tick_is_refused(root: Client) -> None:
    calendar = make_calendar()
    response = add(
        root, "shell", param_command="true", trigger="cron", cron_expression="0 8 * * sat", calendars=[calendar.pk]
    )
    assert errors(response) == {"calendars": ["No tick within a year is left; “office days” blacks out the next one."]}
    assert not Task.objects.exists()


def test_others_see_and_change_nothing_and_operators_only_look(login: Callable[[User], Client]) -> None:
    calendar = make_calendar()
    make_namespace("elsewhere")
    stranger = login(make_user(elsewhere=Role.ADMINISTRATOR))
    for name in ("change", "month", "holidays", "delete"):
        assert stranger.get(page(calendar, name)).status_code == 302
    assert b"office days" not in stranger.get(reverse("admin:scheduling_calendar_changelist")).content
    operator = login(make_user(default=Role.OPERATOR))
    assert operator.get(page(calendar)).status_code == 200
    assert operator.get(page(calendar, "month")).status_code == 200
    assert operator.get(page(calendar, "holidays")).status_code == 403
    assert operator.post(page(calendar), posted(calendar=calendar)).status_code == 403
    assert calendar.rules.count() == 1
