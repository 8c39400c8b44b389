"""The registry of schedulers: who lives, who has gone, and which share is whose."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduling.conf import SchedulingConf, conf
from scheduling.db import Connection, database_now
from scheduling.engine.schedulers import KEPT_SECONDS, live_schedulers, sweep_schedulers
from scheduling.models import Scheduler
from scheduling.runtime.loop import SchedulerLoop
from scheduling.runtime.registry import Registry, Share
from tests.factories import make_task
from tests.support.waiting import wait_until


def beat(conn: Connection, *registries: Registry) -> None:
    """Let each say that it lives."""
    for registry in registries:
        registry.beat(conn, lag_seconds=0.25, counts={"fired": 3})


def silence(conn: Connection, seconds: float, **which: object) -> None:
    """Let schedulers have been silent for so long."""
    Scheduler.objects.filter(**which).update(last_seen_at=database_now(conn) - timedelta(seconds=seconds))


def test_live_schedulers_divide_the_work_among_them(conn: Connection) -> None:
    registries = [Registry() for _ in range(3)]
    beat(conn, *registries)
    beat(conn, *registries)
    assert [registry.share for registry in registries] == [Share(0, 3), Share(1, 3), Share(2, 3)]
    assert [each.lag_seconds for each in live_schedulers(conn)] == [0.25] * 3


def test_a_scheduler_that_has_not_beaten_yet_takes_itself_for_alone(conn: Connection) -> None:
    assert Registry().share == Share(0, 1)


@pytest.mark.parametrize("how", ["left", "silent"])
def test_the_share_of_one_that_has_gone_falls_to_the_others(conn: Connection, how: str) -> None:
    gone, stays = Registry(), Registry()
    beat(conn, gone, stays)
    if how == "left":
        gone.leave(conn)
    else:
        silence(conn, conf().live_seconds + 1, pk=Scheduler.objects.earliest("id").pk)
    beat(conn, stays)
    assert stays.share == Share(0, 1)
    assert len(live_schedulers(conn)) == 1
    health = Scheduler.objects.earliest("id").health(database_now(conn))
    assert health == ("stopped" if how == "left" else "lost")


def test_one_that_was_silent_and_comes_back_is_counted_again(conn: Connection) -> None:
    registry = Registry()
    beat(conn, registry)
    silence(conn, 3600)
    beat(conn, registry)
    assert len(live_schedulers(conn)) == 1
    Scheduler.objects.all().delete()
    beat(conn, registry)
    assert Scheduler.objects.count() == 1, "and one whose entry was swept enters itself anew"


def test_one_that_is_gone_is_forgotten_after_a_day(conn: Connection) -> None:
    beat(conn, Registry())
    silence(conn, KEPT_SECONDS - 60)
    assert sweep_schedulers(conn) == 0
    silence(conn, KEPT_SECONDS + 60)
    assert sweep_schedulers(conn) == 1


def test_the_loop_enters_itself_tells_what_it_did_and_leaves(conn: Connection) -> None:
    loop = SchedulerLoop(registry=Registry(version="9.9"), settings=SchedulingConf(HEARTBEAT_SECONDS=0.2))
    make_task(trigger="cron", cron_expression="* * * * * *", overlap="allow")

    def told() -> bool:
        loop.turn()
        return Scheduler.objects.filter(counts__fired__gte=1, lag_seconds__gt=0).exists()

    wait_until(told, what="a heartbeat after the first firing")
    loop.close()
    (entry,) = Scheduler.objects.all()
    assert (entry.version, entry.stopped_at is not None) == ("9.9", True)


def test_a_loop_without_a_registry_is_known_to_nobody(conn: Connection) -> None:
    loop = SchedulerLoop()
    loop.turn()
    loop.close()
    assert not Scheduler.objects.exists()
