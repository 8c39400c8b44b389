"""manage.py partitions: what the history takes, what keeps it, and when it goes."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scheduling.conf import conf
from scheduling.db import Connection, database_now, own_connection
from scheduling.domain.retention import Keeping, Verdict, age_in_days, judge
from scheduling.engine.partitions import bounds_of, create_partitions
from scheduling.exceptions import NotMigrated
from scheduling.management.own_checks import OWN_CHECKS
from scheduling.runtime.retention import (
    AnotherIsDropping,
    Judged,
    ages_of,
    archive_hook,
    drop_judged,
    judge_partitions,
    longest_run_sentence,
    sole_dropper,
)
from scheduling.schema import require_migrations

#: A typing error shall not make partitions until the year 9999.
MOST_DAYS_AHEAD = 3660

_SHORT = {"rota_instance": "instances", "rota_execution": "executions", "rota_log_chunk": "logs"}


class Command(BaseCommand):
    """Shows the days of the history, creates days ahead, and drops old ones."""

    requires_system_checks = OWN_CHECKS
    help = (
        "Shows every day of the history (UTC): rows (estimated), size, age, what holds it, and when it will be "
        "dropped. Schedulers create and drop partitions by themselves; the options do it now."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="one line of JSON instead of the table")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--create-until", type=_day, metavar="DATE", help="create the days from today to this one")
        what.add_argument(
            "--drop-before", type=_day, metavar="DATE", help="drop the days before this one, whatever their age"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be created or dropped")
        parser.add_argument("--yes", action="store_true", help="needed to drop")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked for."""
        try:
            require_migrations()
        except NotMigrated as error:
            raise CommandError(str(error)) from error
        conn = own_connection("partitions", statement_timeout_seconds=0)
        try:
            if options["create_until"]:
                self._create(conn, options["create_until"], dry_run=options["dry_run"])
            elif options["drop_before"]:
                self._drop(conn, options["drop_before"], dry_run=options["dry_run"], sure=options["yes"])
            else:
                self._show(conn, as_json=options["json"])
        finally:
            conn.close()

    def _create(self, conn: Connection, until: date, *, dry_run: bool) -> None:
        today = database_now(conn).date()
        if not today <= until <= today + timedelta(days=MOST_DAYS_AHEAD):
            raise CommandError(f"--create-until takes a day from today to {MOST_DAYS_AHEAD} days ahead.")
        days = [today + timedelta(days=offset) for offset in range((until - today).days + 1)]
        if dry_run:
            self.stdout.write(f"Would create what is missing of {len(days)} days, {days[0]} to {days[-1]}.")
            return
        made = create_partitions(conn, days)
        self.stdout.write(f"Created {made} partitions; {days[0]} to {days[-1]} are there.")

    def _drop(self, conn: Connection, before: date, *, dry_run: bool, sure: bool) -> None:
        now = database_now(conn)
        if before >= now.date():
            raise CommandError("--drop-before takes a day that is past: today and what follows is being written to.")
        judged = [each for each in _judge(conn, now) if each.partition.day < before]
        # Asked for by name, so neither age nor a backfill of yesterday keeps it; what is unfinished does.
        chosen = [replace(each, verdict=_by_hand(each, now)) for each in judged]
        going = [each for each in chosen if each.verdict.may_go]
        for each in chosen:
            if not each.verdict.may_go:
                self.stdout.write(f"held: {each.partition.name}: {_unfinished(each.live)}")
        size = _size(sum(each.partition.size_bytes for each in going))
        if dry_run or not going:
            for each in going:
                self.stdout.write(f"would drop {each.partition.name}")
            self.stdout.write(f"{len(going)} partitions, {size}.")
            return
        if not sure:
            raise CommandError(
                f"This would drop {len(going)} partitions ({size}) for good. Say --yes to do it, --dry-run to see them."
            )
        try:
            with sole_dropper():
                dropped = drop_judged(conn, going, archive_hook(conf()))
        except AnotherIsDropping:
            raise CommandError("A scheduler is dropping partitions at this moment; try again.") from None
        self.stdout.write(f"Dropped {dropped} of {len(going)} partitions.")
        if dropped < len(going):
            raise CommandError("Some could not be dropped; the lines above say why.")

    def _show(self, conn: Connection, *, as_json: bool) -> None:
        now = database_now(conn)
        ages = ages_of(conf())
        judged = _judge(conn, now)
        if as_json:
            self.stdout.write(json.dumps([_as_json(each, now) for each in judged]))
            return
        self.stdout.write(f"{'day':<10}  {'age':>5}  {'table':<10}  {'rows':>10}  {'size':>9}  what becomes of it")
        for day, of_day in groupby(judged, key=lambda each: each.partition.day):
            for number, each in enumerate(of_day):
                first = f"{day}  {age_in_days(day, now):>4}d" if number == 0 else " " * 17
                self.stdout.write(
                    f"{first}  {_SHORT[each.partition.table]:<10}  {each.partition.rows:>10}  "
                    f"{_size(each.partition.size_bytes):>9}  {_fate(each)}"
                )
        total = sum(each.partition.size_bytes for each in judged)
        self.stdout.write(f"{len(judged)} partitions, {_size(total)}.")
        if sentence := longest_run_sentence(conn, ages):
            self.stdout.write(self.style.WARNING(sentence[0].upper() + sentence[1:] + "."))


def _judge(conn: Connection, now: datetime) -> list[Judged]:
    return judge_partitions(conn, ages_of(conf()), now)


def _by_hand(each: Judged, now: datetime) -> Verdict:
    ends_at = bounds_of(each.partition.day)[1]
    return judge(ends_at=ends_at, now=now, keep=timedelta(0), live=each.live, written_at=None)


def _fate(each: Judged) -> str:
    verdict = each.verdict
    if not each.partition.attached or each.partition.detaching:
        return "was being dropped; goes on with the next look"
    match verdict.keeping:
        case None:
            return "goes with the next look of a scheduler"
        case Keeping.LIVE:
            return f"held: {_unfinished(each.live)}"
        case Keeping.WRITTEN_LATELY:
            return f"held: runs were made for this day later; goes on {_date(verdict.drops_at)}"
        case Keeping.FOR_EVER:
            return "kept for ever"
        case Keeping.YOUNG:
            return f"goes on {_date(verdict.drops_at)}" + (f" ({_unfinished(each.live)})" if each.live else "")


def _unfinished(count: int) -> str:
    return f"{count} unfinished instance{'' if count == 1 else 's'}"


def _date(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"


def _as_json(each: Judged, now: datetime) -> dict[str, Any]:
    partition, verdict = each.partition, each.verdict
    return {
        "partition": partition.name,
        "table": partition.table,
        "day": partition.day.isoformat(),
        "age_days": age_in_days(partition.day, now),
        "rows_estimated": partition.rows,
        "size_bytes": partition.size_bytes,
        "unfinished": each.live,
        "kept_because": None if verdict.keeping is None else verdict.keeping.value,
        "drops_at": None if verdict.drops_at is None else verdict.drops_at.astimezone(UTC).isoformat(),
        "half_dropped": partition.detaching or not partition.attached,
    }


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is no day; write it as in 2026-03-29") from None
