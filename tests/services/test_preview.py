"""What a preview says of a trigger: words, marks and the estimate."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from scheduling.domain.triggers.registry import TriggerSpec
from scheduling.services.cron_words import cron_words
from scheduling.services.preview import length_words, preview

MIDSUMMER = datetime(2026, 6, 21, tzinfo=UTC)


def cron(expression: str, **over: Any) -> TriggerSpec:
    return TriggerSpec(kind="cron", cron_expression=expression, **over)


@pytest.mark.parametrize(
    ("expression", "english", "chinese"),
    [
        ("*/5 * * * *", "Every 5 minutes", "每 5 分钟"),
        ("0 9 * * mon-fri", "At 09:00, Monday through Friday", "在 09:00, 周一 到 周五"),
        ("30 0 9 * * *", "At 09:00:30", "在 09:00:30"),
        ("0 0 12 1 1 ? 2030", "At 12:00, on day 1 of the month, only in January, only in 2030", None),
        ("0 18 * * L5", "At 18:00, on the last Friday of the month", None),
        ("0 0 * * mon#2", "At 00:00, on the second Monday of the month", None),
        ("0 0 13 * 5", "At 00:00, on day 13 of the month, or on Friday", None),
        ("@daily", "At 00:00", "在 00:00"),
        ("H 2 * * *", "H 2 * * *", "H 2 * * *"),
    ],
)
def test_an_expression_is_said_in_the_readers_language(expression: str, english: str, chinese: str | None) -> None:
    assert cron_words(expression) == english
    if chinese is not None:
        with translation.override("zh-hans"):
            assert cron_words(expression) == chinese


def test_no_english_day_or_month_is_left_in_a_chinese_sentence() -> None:
    with translation.override("zh-hans"):
        words = " ".join(cron_words(text) for text in ("0 0 * jan-dec sun-sat", "0 0 * 3,5,7 *", "0 0 * * mon#1"))
    assert not any(letter.isascii() and letter.isalpha() for letter in words)


@pytest.mark.parametrize(
    ("spec", "a_day"),
    [
        (cron("*/5 * * * *"), 288),
        (cron("0-59 0-23 * * *"), 1440),
        (cron("* * * * * *"), 86400),
        (cron("0 0 * * mon"), 1 / 7),
        (cron("0 0 1 1 *"), 1 / 365),
        (cron("0 0 1 * *"), 12 / 365),
        (cron("* * * 3 *"), 31 * 1440 / 365),
        (cron("0 0 0 1 1 ? 2090"), 0),
        (cron("0 0 * * *", ends_at=MIDSUMMER + timedelta(days=3)), 1),
        (TriggerSpec(kind="interval", every_seconds=7200), 12),
        (TriggerSpec(kind="interval", every_seconds=0.1), 864_000),
        (TriggerSpec(kind="manual"), None),
        (TriggerSpec(kind="fixed_delay", every_seconds=60), None),
    ],
)
def test_the_fires_of_a_day_are_estimated(spec: TriggerSpec, a_day: float | None) -> None:
    shown = preview(spec, after=MIDSUMMER).fires_per_day
    assert shown == (None if a_day is None else pytest.approx(a_day, rel=0.05))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 * * *", "about 1 fire a day"),
        ("0 0,6 * * *", "about 2 fires a day"),
        ("0 0 * * mon-fri", "about 5 fires a week"),
        ("0 0 * * mon", "about 1 fire a week"),
        ("0 0 1 * *", "about one fire in 30 days"),
        ("0 0 1 1 *", "about one fire in 365 days"),
        ("0 0 29 2 *", "no fire within a year"),
    ],
)
def test_how_often_a_rare_schedule_fires_is_said_in_days_and_never_as_nothing(expression: str, words: str) -> None:
    assert preview(cron(expression), after=MIDSUMMER).rate_words == words


@pytest.mark.parametrize(
    ("zone", "expression", "after", "marks"),
    [
        # Midnight itself does not exist on this day in Havana.
        ("America/Havana", "0 0 * * *", "2026-03-08T00:00Z", ("clock_change", "moved")),
        # Half an hour at once.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00Z", ("clock_change", "moved")),
        # Every so often: no rule moves it, but the day is marked.
        ("Europe/Berlin", "*/30 5 * * *", "2026-03-28T12:00Z", ("clock_change",)),
        ("Europe/Berlin", "30 5 * * *", "2026-03-29T12:00Z", ()),
        # The time at the end of the gap stands for itself only.
        ("Europe/Berlin", "0 3 * * *", "2026-03-28T12:00Z", ("clock_change",)),
        ("Asia/Shanghai", "30 2 * * *", "2026-03-28T12:00Z", ()),
    ],
)
def test_marks_say_what_the_clock_does_to_a_fire(
    zone: str, expression: str, after: str, marks: tuple[str, ...]
) -> None:
    spec = cron(expression, timezone=zone)
    assert preview(spec, after=datetime.fromisoformat(after), count=1).fires[0].marks == marks


def test_a_shifted_fire_says_where_it_comes_from() -> None:
    spec = cron("10 2,3 * * *", timezone="Europe/Berlin", dst_gap="shift")
    (fire,) = preview(spec, after=datetime(2026, 3, 28, 12, tzinfo=UTC), count=1).fires
    assert fire.notes[-1] == "02:10 does not exist on this day; it runs at 03:10."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (300, "5 minutes"),
        (3600, "1 hour"),
        (129_600, "36 hours"),
        (86_400, "1 day"),
    ],
)
def test_a_length_is_said_in_the_largest_unit_that_fits(seconds: int, words: str) -> None:
    assert length_words(seconds) == words


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("preview", *arguments, stdout=out)
    return out.getvalue()


BERLIN = ("--cron", "30 2 * * *", "--timezone", "Europe/Berlin")


def test_the_command_prints_a_json_list_of_utc_instants() -> None:
    found = json.loads(printed(*BERLIN, "--after", "2026-03-28T12:00Z", "--count", "2", "--json"))
    assert found == ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["--dst-gap", "skip"], "2026-03-30T00:30:00Z"),
        (["--dst-gap", "shift"], "2026-03-29T01:30:00Z"),
        (["--dst-gap", "run_after_gap", "--dst-fold", "both"], "2026-03-29T01:00:00Z"),
    ],
)
def test_the_command_takes_the_daylight_saving_rules(rules: list[str], expected: str) -> None:
    asked = [*BERLIN, "--after", "2026-03-28T12:00:00", "--count", "1"]
    assert json.loads(printed(*asked, *rules, "--json")) == [expected]


def test_the_commands_table_says_what_is_skipped() -> None:
    asked = [*BERLIN, "--after", "2026-03-28T12:00Z", "--dst-gap", "skip"]
    lines = printed(*asked).splitlines()
    assert lines[0] == "At 02:30 (Europe/Berlin)"
    assert "2026-03-29 Sun 02:30:00 does not exist and is skipped." in lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cron", "0 0 30 2 *"], "“0 0 30 2 *” never fires: there is no such day."),
        (["--cron", "0 0 * * *", "--timezone", "Nowhere"], "“Nowhere” is not a known time zone."),
        (["--cron", "0 0 * * *", "--dst-gap", "jump"], "“jump” is not one of"),
        (["--cron", "0 0 * * *", "--after", "soon"], "“soon” is no moment"),
        (["--cron", "0 0 * * *", "--count", "-1"], "--count must be a number"),
        (["--cron", "H 0 * * *"], "“H” is drawn from a task's id; give one with --task-id."),
        (["--cron", "0 0 * *"], "this one has 4."),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError) as raised:
        printed(*arguments)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
