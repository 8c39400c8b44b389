"""Hours of UTC on somebody's wall clock, and the shades that stand for numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduling.admin.heat_map import SHADES, heat_map, hours_between, midnight

pytestmark = pytest.mark.unit

BERLIN = ZoneInfo("Europe/Berlin")


def day_of(day: date, zone: ZoneInfo) -> list[datetime]:
    return list(hours_between(midnight(day, zone), midnight(day + timedelta(days=1), zone)))


def test_the_hour_that_comes_twice_is_one_cell_of_two_hours() -> None:
    hours = day_of(date(2026, 10, 25), BERLIN)
    assert len(hours) == 25
    found = heat_map(hours, dict.fromkeys(hours, 1), BERLIN)
    assert len(found.rows) == 24
    twice = next(cells[0] for time, cells in found.rows if time == "02:00")
    assert twice is not None
    assert (len(twice.hours), twice.count) == (2, 2)
    assert found.total == 25


def test_the_hour_that_is_left_out_has_no_cell() -> None:
    hours = [*day_of(date(2026, 3, 28), BERLIN), *day_of(date(2026, 3, 29), BERLIN)]
    found = heat_map(hours, {}, BERLIN)
    gap = next(cells for time, cells in found.rows if time == "02:00")
    assert gap[0] is not None
    assert gap[1] is None


def test_where_hours_begin_at_half_past_the_rows_say_so() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    found = heat_map(day_of(date(2026, 5, 1), kolkata), {}, kolkata)
    assert {time[-2:] for time, _cells in found.rows} == {"30"}
    assert (found.days, len(found.rows)) == ([date(2026, 5, 1)], 24), "a day begins with its first whole hour"


@pytest.mark.parametrize("highest", [1, 2, 3, 4, 5, 7, 60, 1_000, 100_000, 10_000_000])
def test_shades_grow_with_numbers_and_the_legend_leaves_none_out(highest: int) -> None:
    first = datetime(2026, 5, 1, tzinfo=UTC)
    numbers = sorted({0, 1, highest // 3, highest // 2, highest})
    counts = {first + number * timedelta(hours=1): count for number, count in enumerate(numbers)}
    found = heat_map(counts, counts, ZoneInfo("UTC"))
    cells = sorted((cell for _time, row in found.rows for cell in row if cell is not None), key=lambda cell: cell.count)
    shades = [cell.shade for cell in cells]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1]) == (0, SHADES)
    assert found.legend[0][1] == 1
    assert found.legend[-1][2] == highest
    assert all(after[1] == before[2] + 1 for before, after in zip(found.legend, found.legend[1:], strict=False))
    for cell in cells[1:]:
        assert [shade for shade, least, most in found.legend if least <= cell.count <= most] == [cell.shade]


def test_hours_that_are_all_busy_are_told_from_one_another() -> None:
    hours = day_of(date(2026, 5, 1), ZoneInfo("UTC"))
    counts = {hour: 50_000 + 2_000 * number for number, hour in enumerate(hours)}
    found = heat_map(hours, counts, ZoneInfo("UTC"))
    shades = [cell.shade for _time, cells in found.rows for cell in cells if cell is not None]
    assert shades == sorted(shades)
    assert 1 < len(set(shades)) < SHADES, "twice as many is not the whole scale"
    for _time, cells in found.rows:
        for cell in cells:
            assert cell is not None
            assert [shade for shade, least, most in found.legend if least <= cell.count <= most] == [cell.shade]
