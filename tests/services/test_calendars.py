"""Calendars behind every interface: what is refused, and the command that fills one."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from accounts.roles import Role
from scheduling.models import Calendar, CalendarRule
from scheduling.services import duplicate_task, import_holidays, save_calendar, save_task
from tests.factories import make_namespace, make_task, make_user

pytestmark = pytest.mark.django_db


def make_calendar(*rules: CalendarRule) -> Calendar:
    return save_calendar(Calendar(namespace=make_namespace(), name="office days"), rules)


def test_a_copy_of_a_task_uses_the_same_calendars() -> None:
    task = make_task()
    task.calendars.add(make_calendar())
    assert [each.name for each in duplicate_task(task).calendars.all()] == ["office days"]


def test_a_single_run_on_a_blacked_out_day_is_refused() -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    calendar = make_calendar(CalendarRule(kind="dates", first_day=tomorrow.date()))
    task = make_task()
    task.trigger, task.run_at = "once", tomorrow
    with pytest.raises(ValidationError, match="No tick within a year"):
        save_task(task, calendars=[calendar])
    assert not task.calendars.exists()


def test_an_edit_that_does_not_mention_calendars_leaves_them_and_is_checked_with_them() -> None:
    weekend = make_calendar(CalendarRule(kind="weekdays", weekdays=[6, 7]))
    task = make_task(trigger="cron", cron_expression="0 8 * * *")
    save_task(task, calendars=[weekend])
    task.priority = 5
    save_task(task)
    assert list(task.calendars.all()) == [weekend]
    task.cron_expression = "0 8 * * sun"
    with pytest.raises(ValidationError, match="No tick within a year"):
        save_task(task)


def test_a_trigger_that_yields_nothing_more_is_not_the_calendars_fault() -> None:
    everything = make_calendar(CalendarRule(kind="weekdays", weekdays=[1, 2, 3, 4, 5, 6, 7]))
    task = make_task(trigger="manual")
    save_task(task, calendars=[everything])
    assert list(task.calendars.all()) == [everything]


def test_the_names_of_holidays_are_in_the_readers_language_where_there_are_such() -> None:
    notes = {}
    for language in ("en", "zh-hans", "fi"):
        calendar = save_calendar(Calendar(namespace=make_namespace(), name=language), [])
        with translation.override(language):
            import_holidays(calendar, country="CN", years=[2026])
        notes[language] = calendar.rules.get(first_day="2026-01-01").note
    assert notes == {"en": "New Year's Day", "zh-hans": "元旦", "fi": "元旦"}


def test_a_day_that_was_excepted_by_hand_stays_as_it_is() -> None:
    ours = CalendarRule(kind="dates", first_day="2026-01-01", note="we call it something else")
    calendar = make_calendar(ours)
    done = import_holidays(calendar, country="CN", years=[2026])
    assert (done.known, calendar.rules.get(first_day="2026-01-01").note) == (1, "we call it something else")


def test_only_administrators_change_calendars() -> None:
    operator = make_user(default=Role.OPERATOR)
    calendar = make_calendar()
    with pytest.raises(PermissionDenied):
        save_calendar(calendar, [], actor=operator)
    with pytest.raises(PermissionDenied):
        import_holidays(calendar, country="CN", years=[2026], actor=operator)


def test_the_command_makes_the_calendar_and_says_what_it_added() -> None:
    make_namespace()
    out, err = StringIO(), StringIO()
    call_command("import-holidays", "China", "CN", "2026", "--weekends", stdout=out, stderr=err)
    calendar = Calendar.objects.get(name="China")
    lines = out.getvalue().splitlines()
    assert len(lines) == calendar.rules.count() > 20
    assert "inclusion\t2026-10-10\tMake-up working day" in lines
    again = StringIO()
    call_command("import-holidays", "China", "CN", "2026", stdout=again, stderr=StringIO())
    assert again.getvalue() == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["China", "XX", "2026"], "ISO 3166"),
        (["China", "DE", "2026", "--subdivision", "QQ"], "no subdivision"),
        (["China", "CN", "soon"], "such as 2026"),
        (["China", "CN", "2026", "--namespace", "nowhere"], "There is no namespace"),
    ],
)
def test_the_command_refuses_in_one_sentence_and_makes_nothing(arguments: list[str], said: str) -> None:
    make_namespace()
    with pytest.raises(CommandError, match=said):
        call_command("import-holidays", *arguments)
    assert not Calendar.objects.exists()
