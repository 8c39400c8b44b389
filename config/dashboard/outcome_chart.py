"""The chart of outcomes: a stacked bar for each hour or day, and the same as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.admin.cells import length, short_count
from config.dashboard.scale import HEIGHT, round_top, unit
from scheduling.admin.ratio import percent
from scheduling.domain.spans import Span
from scheduling.domain.states import InstanceState
from scheduling.models.instance import STATE_LABELS
from scheduling.statistics import Counts, OutcomeSeries, OutcomeSlot

#: From the bottom up. Failures stand on the base line, where few of them are seen beside many successes.
STACK = (InstanceState.FAILED, InstanceState.CANCELLED, InstanceState.SKIPPED, InstanceState.SUCCEEDED)

#: A slot is so many units wide, and its bar a part of that.
SLOT_WIDTH, BAR_WIDTH = 10.0, 7.4

#: However few, they are seen.
LEAST_HEIGHT = 2.0

#: Every so many slots have their time written below them.
_LABELLED = {Span.DAY: 6, Span.WEEK: 1, Span.MONTH: 7}


@dataclass(frozen=True, slots=True)
class Piece:
    """One outcome's part of a bar, in units from the top."""

    outcome: str
    y: str
    height: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One slot."""

    x: str
    slot_x: str
    pieces: Sequence[Piece]
    #: When, in a word below the bar; empty for most.
    label: str
    #: When, in full.
    time: str
    #: Everything about it in one line.
    says: str
    counts: Counts


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeChart:
    """What the template draws."""

    bars: Sequence[Bar]
    width: str
    bar_width: str
    slot_width: str
    #: The numbers beside the chart, from the top.
    ticks: Sequence[str]
    #: Outcome, word, how many: from the most wanted to the least.
    legend: Sequence[tuple[str, object, int]]
    total: Counts
    ratio: str
    mean: str
    p95: str


def outcome_chart(series: OutcomeSeries) -> OutcomeChart:
    """Return the chart of ``series``, on the wall clock of the page."""
    top = round_top(max((slot.counts.total for slot in series.slots), default=0))
    return OutcomeChart(
        bars=[_bar(number, slot, series, top) for number, slot in enumerate(series.slots)],
        width=unit(len(series.slots) * SLOT_WIDTH),
        bar_width=unit(BAR_WIDTH),
        slot_width=unit(SLOT_WIDTH),
        ticks=[short_count(top), short_count(top // 2), "0"],
        legend=[(state.value, STATE_LABELS[state], getattr(series.total, state.value)) for state in reversed(STACK)],
        total=series.total,
        ratio=percent(series.total.success_ratio),
        mean=length(series.total.mean_seconds),
        p95=length(series.total.p95_seconds),
    )


def _bar(number: int, slot: OutcomeSlot, series: OutcomeSeries, top: int) -> Bar:
    when = _time_of(slot.begins_at, series.span)
    every = _LABELLED[series.span]
    # Counted from the present, which always has its label, but for hours: there the round ones do.
    local = timezone.localtime(slot.begins_at)
    labelled = local.hour % every == 0 if series.span is Span.DAY else (len(series.slots) - 1 - number) % every == 0
    return Bar(
        x=unit(number * SLOT_WIDTH + (SLOT_WIDTH - BAR_WIDTH) / 2),
        slot_x=unit(number * SLOT_WIDTH),
        pieces=list(_pieces(slot.counts, top)),
        label=_label_of(local, series.span) if labelled else "",
        time=when,
        says=f"{when}: {_says(slot.counts)}",
        counts=slot.counts,
    )


def _pieces(counts: Counts, top: int) -> Iterator[Piece]:
    below = 0.0
    for state in STACK:
        count: int = getattr(counts, state.value)
        if count:
            height = max(HEIGHT * count / top, LEAST_HEIGHT)
            height = min(height, HEIGHT - below)
            below += height
            yield Piece(state.value, unit(HEIGHT - below), unit(height))


def _says(counts: Counts) -> str:
    parts = [f"{count} {STATE_LABELS[state]}" for state in reversed(STACK) if (count := getattr(counts, state.value))]
    return _(", ").join(parts) or _("nothing ended")


def _time_of(moment: datetime, span: Span) -> str:
    local = timezone.localtime(moment)
    return date_format(local, "Y-m-d H:i") if span is Span.DAY else date_format(local, "D Y-m-d")


def _label_of(local: datetime, span: Span) -> str:
    match span:
        case Span.DAY:
            return date_format(local, "H:i")
        case Span.WEEK:
            return date_format(local, "D")
        case Span.MONTH:
            return date_format(local, "m-d")
