"""Pushes through both channel layers: they arrive, and nobody pays for them while nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from channels_postgres.core import ASYNCIO_EVENT_CHANNEL_MAPPING
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql

from config.channel_layers import channel_layer
from scheduling.db import Connection
from scheduling.push.ears import ears
from scheduling.push.postgres_layer import PostgresLayer
from scheduling.push.send import send_pushes
from tests.consumers.conftest import LONG, run
from tests.support.waiting import wait_until
from workers.engine.watch_log import RENEW_WATCH, log_group
from workers.runtime.log_pushes import LogPushes

pytestmark = [pytest.mark.processes]


async def settled(event: asyncio.Event) -> None:
    """Wait until the ear is a member of its group, which sets the event for the first time, and clear it."""
    async with asyncio.timeout(LONG):
        await event.wait()
    event.clear()


async def push_until(event: asyncio.Event, push: Callable[[], Awaitable[None]]) -> None:
    """Push again and again: one that is lost may be lost."""
    async with asyncio.timeout(LONG):
        while not event.is_set():
            await push()
            await asyncio.sleep(0.05)


def test_a_push_wakes_those_who_wait_for_its_group_and_nobody_else(conn: Connection, layer: None) -> None:
    async def main() -> None:
        async with ears().listening("log.1") as one, ears().listening("log.1") as same, ears().listening("x") as other:
            for event in (one, same, other):
                await settled(event)
            await push_until(one, lambda: send_pushes(["log.1"]))
            assert same.is_set()
            assert not other.is_set()

    run(main)


def test_the_worker_pushes_for_a_log_that_is_watched_and_asks_nobody_else(conn: Connection, layer: None) -> None:
    pushes = LogPushes()

    async def main() -> None:
        async with ears().listening(log_group(7)) as watched, ears().listening(log_group(8)) as not_watched:
            await settled(watched)
            await settled(not_watched)
            await asyncio.to_thread(conn.execute, RENEW_WATCH, {"execution": 7, "seconds": 30})

            async def store() -> None:
                pushes.stored([7, 8])

            await push_until(watched, store)
            assert not not_watched.is_set()

    try:
        run(main)
    finally:
        pushes.close(timeout=10)


def count(conn: Connection, table: str) -> int:
    """How many rows."""
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


def test_a_push_that_nobody_listens_to_writes_nothing_to_the_database(conn: Connection) -> None:
    async def main() -> None:
        await send_pushes([log_group(number) for number in range(10)])

    run(main)
    assert count(conn, "channels_postgres_message") == 0


def test_an_ear_whose_connection_was_ended_listens_again_by_itself(conn: Connection) -> None:
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name = 'rota sockets listener' AND datname = current_database()"
    )

    async def main() -> None:
        async with ears().listening("log.2") as more:
            await settled(more)
            await push_until(more, lambda: send_pushes(["log.2"]))
            ended = await asyncio.to_thread(lambda: conn.execute(end.encode()).fetchone())
            assert ended is not None
            assert ended[0] >= 1
            more.clear()
            await push_until(more, lambda: send_pushes(["log.2"]))

    run(main)


def test_what_a_dead_web_server_left_behind_is_cleared_away(conn: Connection) -> None:
    async def main() -> None:
        dead = PostgresLayer()
        await dead.group_add("log.3", "specific.dead!1")
        await dead.group_add("log.3", "specific.dead!1")
        await send_pushes(["log.3"])
        for table in ("channels_postgres_message", "channels_postgres_groupchannel"):
            assert await asyncio.to_thread(count, conn, table) == 1
            late = sql.SQL("UPDATE {} SET expire = clock_timestamp() - interval '1 second'")
            await asyncio.to_thread(conn.execute, late.format(sql.Identifier(table)))
        await dead.tidy()

    run(main)
    assert count(conn, "channels_postgres_message") == count(conn, "channels_postgres_groupchannel") == 0


def test_ten_thousand_sockets_one_after_the_other_leave_no_queue_and_no_lock_behind(conn: Connection) -> None:
    async def main() -> None:
        for number in range(10_000):
            async with ears().listening(f"log.{number % 100}"):
                if number % 1000 == 0:
                    await asyncio.sleep(0)

    run(main)
    assert ASYNCIO_EVENT_CHANNEL_MAPPING == {}
    locks = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    # A session that was closed may still be on its way out of the server.
    wait_until(lambda: conn.execute(locks).fetchone() == (0,), what="no lock is left")


@pytest.mark.unit
def test_an_address_that_is_not_redis_is_refused_without_repeating_it() -> None:
    for url in ("http://secret@x", "secret"):
        with pytest.raises(ImproperlyConfigured) as refused:
            channel_layer(url)
        assert "secret" not in str(refused.value)
