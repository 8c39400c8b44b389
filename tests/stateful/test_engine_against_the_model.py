"""Any order of the engine's verbs leaves the database where a small model says, with every promise kept."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scheduling.db import Connection
from scheduling.domain.policies import OnWorkerLost, Overlap
from scheduling.domain.states import EntryState, Origin
from scheduling.engine.admit import admit
from scheduling.engine.admit_waiting import admit_waiting
from scheduling.engine.cancel import cancel
from scheduling.engine.enqueue import enqueue
from scheduling.engine.promote import promote
from scheduling.models import Pool, Task
from tests.factories import make_namespace, make_registration, make_task
from tests.stateful.model import Model, Rules
from workers.conf import conf
from workers.domain.states import ExecutionState
from workers.engine.check import check
from workers.engine.claim import Claimed, claim
from workers.engine.complete import Report, complete
from workers.engine.give_back import give_back
from workers.engine.nodes import Registration
from workers.engine.reap import reap

TASKS = [
    Rules(name="side by side"),
    Rules(name="tried three times", max_attempts=3, priority=1),
    Rules(name="tried again and again", max_attempts=9, overlap=Overlap.QUEUE_ONE, max_running=3),
    Rules(name="never repeated", on_worker_lost=OnWorkerLost.FAIL),
    Rules(name="skips", overlap=Overlap.SKIP),
    Rules(name="lets one wait", overlap=Overlap.QUEUE_ONE, max_attempts=2),
    Rules(name="lets all wait", overlap=Overlap.QUEUE_ALL, priority=-1),
    Rules(name="replaces what runs", overlap=Overlap.CANCEL_RUNNING),
    Rules(name="kills the oldest of two", overlap=Overlap.KILL_RUNNING, max_running=2, max_attempts=3),
    Rules(name="light in the pool", pooled=True),
    Rules(name="heavy in the pool", pooled=True, weight=2, overlap=Overlap.QUEUE_ALL, max_running=2, max_attempts=2),
    Rules(name="skips before the pool", pooled=True, overlap=Overlap.SKIP, priority=1),
    Rules(name="two at once", overlap=Overlap.QUEUE_ALL, max_running=2, max_attempts=2),
]
POOL_SLOTS = 3
WORKERS = ["one", "two", "three"]
SEVERAL = st.lists(st.sampled_from(TASKS), min_size=3, max_size=8)

_EMPTY = """
DELETE FROM rota_queue_entry; DELETE FROM rota_execution; DELETE FROM rota_instance; DELETE FROM rota_node_change;
DELETE FROM rota_node;
"""

_SEEN = """
SELECT i.id, i.outcome, i.reason, e.state, e.attempt, e.losses, e.postponed, e.lease_id,
    e.cancel_requested_at IS NOT NULL, e.kill_requested
FROM rota_instance i LEFT JOIN rota_queue_entry e ON e.instance_id = i.id
"""


class Engine(RuleBasedStateMachine):
    """Each rule does one thing to the database and to the model."""

    conn: Connection
    tasks: dict[str, Task]

    def __init__(self) -> None:
        super().__init__()
        self.conn.execute(_EMPTY)
        self.model = Model(max_losses=conf().max_losses, pool_slots=POOL_SLOTS)
        self.nodes: dict[str, Registration] = {name: make_registration(self.conn, name=name) for name in WORKERS}
        #: Every claim that there ever was: stale reports are offered, too.
        self.claims: list[Claimed] = []

    @initialize(chosen=SEVERAL)
    def begin(self, chosen: list[Rules]) -> None:
        """There is work before anything else happens."""
        self.enqueue(chosen)

    @rule(chosen=SEVERAL)
    def enqueue(self, chosen: list[Rules]) -> None:
        """Tasks are run by hand."""
        for rules in chosen:
            made = enqueue(self.conn, task_id=self.tasks[rules.name].pk, origin=Origin.CODE)
            assert made is not None
            self.model.enqueue(made.instance_id, rules)

    @rule(rules=st.sampled_from(TASKS))
    def admit(self, rules: Rules) -> None:
        """A process admits after a change."""
        task = self.tasks[rules.name]
        admit(self.conn, [task.pk], [task.pool_id] if task.pool_id else [])
        self.model.admit(rules)

    @rule()
    def sweep(self) -> None:
        """A scheduler admits for everybody."""
        admit_waiting(self.conn)
        self.model.admit(*TASKS)

    @rule(worker=st.sampled_from(WORKERS), slots=st.integers(2, 6))
    def claim(self, worker: str, slots: int) -> None:
        """A worker has free slots."""
        node = self.nodes[worker]
        claims = claim(
            self.conn,
            node_id=node.node_id,
            incarnation=node.incarnation,
            queues=["default"],
            handlers=["shell"],
            slots=slots,
        )
        assert [each.instance_id for each in claims] == self.model.claim(worker, slots)
        for each in claims:
            self.model.claimed(each.instance_id, each.lease_id, worker)
            assert each.attempt == self.model.instances[each.instance_id].attempt
        self.claims += claims

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), success=st.booleans(), retry=st.booleans(), counted=st.booleans())
    def report(self, data: st.DataObject, success: bool, retry: bool, counted: bool) -> None:
        """An attempt ends; its worker may have lost the lease long ago."""
        self._report(self._some_claim(data), success=success, retry=retry, counted=counted)

    @rule(worker=st.sampled_from(WORKERS), slots=st.integers(2, 6), successes=st.integers(0, 6))
    def work(self, worker: str, slots: int, successes: int) -> None:
        """A worker's ordinary round: what it claims ends, well or with the wish for another attempt."""
        before = len(self.claims)
        self.sweep()
        self.claim(worker, slots)
        for number, claimed in enumerate(self.claims[before:]):
            self._report(claimed, success=number < successes, retry=True)

    def _report(self, claimed: Claimed, *, success: bool, retry: bool, counted: bool = True) -> None:
        report = Report(
            instance_id=claimed.instance_id,
            lease_id=claimed.lease_id,
            scheduled_for=claimed.scheduled_for,
            state=ExecutionState.SUCCEEDED if success else ExecutionState.FAILED,
            reason="completed" if success else "exception",
            retry_seconds=0.0 if retry else None,
            counted=counted,
        )
        done = complete(self.conn, [report])
        decision = self.model.report(claimed.lease_id, success=success, retry=retry, counted=counted)
        assert done.accepted == ({} if decision is None else {claimed.lease_id: decision})
        assert done.stale == ([claimed.lease_id] if decision is None else [])

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """A worker drains."""
        claimed = self._some_claim(data)
        give_back(self.conn, [claimed])
        self.model.give_back(claimed.lease_id)

    @rule()
    def promote(self) -> None:
        """A scheduler looks at what is due."""
        promote(self.conn)
        self.model.promote()

    @precondition(lambda self: self.model.instances)
    @rule(data=st.data(), kill=st.booleans())
    def cancel(self, data: st.DataObject, kill: bool) -> None:
        """Somebody cancels, mostly what is not over."""
        instances = self.model.instances.values()
        wanted = [each.id for each in instances if each.worker is not None] or sorted(self.model.instances)
        instance_id = data.draw(st.sampled_from(wanted))
        cancel(self.conn, [instance_id], message="not any more", kill=kill)
        self.model.cancel(instance_id, kill=kill)

    @rule(worker=st.sampled_from(WORKERS))
    def crash(self, worker: str) -> None:
        """A worker dies and comes back under its name; nobody has decided about its work yet."""
        self.nodes[worker] = make_registration(self.conn, name=worker, same_process_is_gone=True)
        for each in self.model.instances.values():
            if each.worker == worker:
                each.worker = "gone"

    @rule()
    def reap(self) -> None:
        """A scheduler decides about work that nobody can report."""
        reap(self.conn)
        self.model.reap(["gone"])

    def _some_claim(self, data: st.DataObject) -> Claimed:
        """One whose lease is held, mostly; any one that there ever was, now and then."""
        held = [each for each in self.claims if self.model.holder_of(each.lease_id)]
        stale = data.draw(st.integers(0, 4), label="stale if 0") == 0
        return data.draw(st.sampled_from(self.claims if stale or not held else held))

    @invariant()
    def the_database_is_where_the_model_is(self) -> None:
        """Row by row."""
        seen = {row[0]: _state(row) for row in self.conn.execute(_SEEN).fetchall()}
        assert seen == {each.id: _expected(each) for each in self.model.instances.values()}

    @invariant()
    def limits_hold(self) -> None:
        """At every moment, whatever was admitted when."""
        for rules in TASKS:
            assert rules.limit is None or len(self.model.live(rules)) <= rules.limit
        assert self.model.pool_used() <= POOL_SLOTS

    def teardown(self) -> None:
        """Every promise is kept where it ends."""
        assert check(self.conn) == []


def _state(row: tuple[Any, ...]) -> tuple[Any, ...]:
    _, outcome, reason, state, *rest = row
    if outcome is not None:
        assert state is None, "what has ended has left the queue"
        return (outcome, reason)
    return (EntryState(state).name.lower(), *rest)


def _expected(each: Any) -> tuple[Any, ...]:
    if each.state in {"succeeded", "failed", "cancelled", "skipped"}:
        return (each.state, each.reason)
    return (each.state, each.attempt, each.losses, each.postponed, each.lease, each.cancel, each.kill)


def test_any_order_of_verbs_ends_where_the_model_says(conn: Connection) -> None:
    Engine.conn = conn
    pool = Pool.objects.create(namespace=make_namespace(), name="shared", slots=POOL_SLOTS)
    Engine.tasks = {
        rules.name: make_task(
            name=rules.name,
            overlap=rules.overlap.value,
            max_running=rules.max_running,
            max_attempts=rules.max_attempts,
            on_worker_lost=rules.on_worker_lost.value,
            priority=rules.priority,
            pool=pool if rules.pooled else None,
            pool_weight=rules.weight,
        )
        for rules in TASKS
    }
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
