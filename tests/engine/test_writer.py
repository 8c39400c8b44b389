"""The writer's promises: one bad report spoils no other, and a lone one does not wait for company."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from scheduling.db import Connection, own_connection
from scheduling.domain.clock import DatabaseClock
from scheduling.models import TaskInstance
from scheduling.notify import Notifier
from scheduling.runtime.watchdog import Watch
from tests.engine.work import claimed_by, ready, report_of
from tests.factories import make_registration
from tests.support.waiting import wait_until
from workers.conf import conf
from workers.engine.claim import Claimed
from workers.models import LogChunk
from workers.runtime.log_buffer import LogBuffer
from workers.runtime.writer import Ended, Writer

WriterMaker = Callable[..., Writer]


@pytest.fixture
def make_writer(conn: Connection) -> Iterator[WriterMaker]:
    """Makes writers with settings of their own; they are ended afterwards."""
    made: list[tuple[Writer, Notifier]] = []

    def make(**settings: Any) -> Writer:
        notifier = Notifier()
        writer = Writer(
            conf=replace(conf(), **settings),
            notifier=notifier,
            on_written=lambda reports, done: None,
            watch=Watch("writer"),
        )
        made.append((writer, notifier))
        return writer

    yield make
    for writer, notifier in made:
        assert writer.close(timeout=30)
        notifier.close()


def claims(conn: Connection, count: int) -> list[Claimed]:
    """So many claimed instances of one task."""
    ready(conn, count)
    return claimed_by(conn, make_registration(conn, slots=count), slots=count)


def ended(claimed: Claimed, **over: object) -> Ended:
    """Its success."""
    return Ended(report_of(claimed, **over), LogBuffer(claimed, DatabaseClock(), conf()))  # type: ignore[arg-type] # a test's shorthand


def test_a_result_that_the_database_refuses_fails_alone_among_many(conn: Connection, make_writer: WriterMaker) -> None:
    all_of_them = claims(conn, 300)
    bad = all_of_them[170]
    writer = make_writer()
    for claimed in all_of_them:
        # Past the check of results, as if that had a hole: jsonb has no U+0000.
        writer.ended(ended(claimed, result='"a\\u0000b"' if claimed is bad else '"fine"'))
    # Only now, so that they come as one batch.
    writer.start()
    assert writer.wait_written(30)
    outcomes = TaskInstance.objects.values_list("outcome", "reason")
    assert Counter(outcomes) == {("succeeded", "completed"): 299, ("failed", "result_unstorable"): 1}
    refused = TaskInstance.objects.get(pk=bad.instance_id)
    assert refused.reason == "result_unstorable"
    assert "could not store the result" in refused.message


def test_a_lone_result_is_written_without_waiting_for_others(conn: Connection, make_writer: WriterMaker) -> None:
    writer = make_writer(log_flush_seconds=3600.0)
    writer.start()
    for claimed in claims(conn, 3):
        writer.ended(ended(claimed))
        assert writer.wait_written(30), "it waits for company"
        assert TaskInstance.objects.get(pk=claimed.instance_id).outcome == "succeeded"


def test_while_somebody_has_locked_the_whole_history_the_writer_neither_stalls_nor_loses_a_result(
    conn: Connection, make_writer: WriterMaker
) -> None:
    all_of_them = claims(conn, 100)
    writer = make_writer()
    for claimed in all_of_them:
        writer.ended(ended(claimed))
    with closing(own_connection("test")) as rude, rude.transaction():
        rude.execute("LOCK TABLE rota_instance IN EXCLUSIVE MODE")
        writer.start()
        # One by one they would be tried for minutes, and the watchdog would take the writer for dead.
        wait_until(lambda: len(writer._held) == 100)
    assert writer.wait_written(30)
    assert TaskInstance.objects.filter(outcome="succeeded").count() == 100


def test_a_log_that_somebody_keeps_locked_holds_up_no_result(conn: Connection, make_writer: WriterMaker) -> None:
    (claimed,) = claims(conn, 1)
    writer = make_writer()
    each = ended(claimed)
    each.log.write("stdout", "hello\n")
    with closing(own_connection("test")) as rude, rude.transaction():
        rude.execute("LOCK TABLE rota_log_chunk IN EXCLUSIVE MODE")
        writer.start()
        writer.ended(each)
        assert writer.wait_written(30), "it waits for the log"
        assert TaskInstance.objects.get().outcome == "succeeded"
    wait_until(lambda: LogChunk.objects.filter(execution_id=claimed.lease_id).exists())
