"""A small model of the engine: what each verb shall do, in plain Python with no database and no concurrency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from scheduling.domain.policies import OnWorkerLost, Overlap


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The policies of a task."""

    name: str
    overlap: Overlap = Overlap.ALLOW
    max_running: int | None = None
    max_attempts: int = 1
    on_worker_lost: OnWorkerLost = OnWorkerLost.RETRY
    priority: int = 0
    #: Whether it belongs to the one pool, and how many of its slots it takes.
    pooled: bool = False
    weight: int = 1

    @property
    def gated(self) -> bool:
        """Whether it passes admission at all."""
        return self.limit is not None or self.pooled

    @property
    def limit(self) -> int | None:
        """How many may be live at once; None: as many as there are."""
        if self.max_running is not None:
            return self.max_running
        return None if self.overlap is Overlap.ALLOW else 1


@dataclass
class Instance:
    """One instance; ``state`` is its live state or its outcome."""

    id: int
    rules: Rules
    #: Its place in the order of its priority.
    turn: int
    state: str
    attempt: int = 0
    losses: int = 0
    postponed: int = 0
    lease: int | None = None
    worker: str | None = None
    cancel: bool = False
    kill: bool = False
    #: Why it was asked to stop.
    cancel_reason: str = "cancelled"
    reason: str = ""

    @property
    def order(self) -> tuple[int, int]:
        """Where it stands in the queue."""
        return (-self.rules.priority, self.turn)

    def end(self, outcome: str, reason: str) -> None:
        """Take the final state."""
        self.state, self.reason, self.lease, self.worker = outcome, reason, None, None


@dataclass
class Model:
    """Every instance, and the verbs."""

    max_losses: int
    pool_slots: int
    instances: dict[int, Instance] = field(default_factory=dict)
    turns: int = 0

    def turn(self) -> int:
        """Draw the next place."""
        self.turns += 1
        return self.turns

    def live(self, rules: Rules) -> list[Instance]:
        """What counts against a task's limit, oldest first."""
        return [each for each in self._of(rules) if each.state in {"ready", "running", "delayed", "pooled"}]

    def pool_used(self) -> int:
        """How many of the pool's slots are taken."""
        within = {"ready", "running", "delayed"}
        return sum(each.rules.weight for each in self._pooled() if each.state in within)

    def enqueue(self, instance_id: int, rules: Rules) -> None:
        """A new instance; a limited one waits for admission."""
        state = "waiting" if rules.gated else "ready"
        self.instances[instance_id] = Instance(instance_id, rules, self.turn(), state)

    def admit(self, *tasks: Rules) -> None:
        """Decide at the gates of ``tasks``, then let into the pool what is past them."""
        for rules in tasks:
            if rules.gated:
                self._pass_gate(rules)
        if any(rules.pooled for rules in tasks):
            self._fill_pool()

    def _pass_gate(self, rules: Rules) -> None:
        """Let through as many as there is room for, in order; what is left, the overlap rule decides."""
        freed = True
        while freed:
            waiting = sorted((each for each in self._of(rules) if each.state == "waiting"), key=lambda each: each.order)
            room = len(waiting) if rules.limit is None else max(0, rules.limit - len(self.live(rules)))
            for each in waiting[:room]:
                each.state = "pooled" if rules.pooled else "ready"
            freed = self._overlap(rules, waiting[room:])

    def _overlap(self, rules: Rules, left: list[Instance]) -> bool:
        """Decide about those that found no room; tell whether some came free by it."""
        match rules.overlap:
            case Overlap.SKIP:
                refused = left
            case Overlap.QUEUE_ONE:
                refused = left[1:]
            case Overlap.CANCEL_RUNNING | Overlap.KILL_RUNNING:
                refused = left[:-1]
            case _:
                refused = []
        for each in refused:
            each.end("skipped", "overlap")
        if not left or rules.overlap not in {Overlap.CANCEL_RUNNING, Overlap.KILL_RUNNING}:
            return False
        assert rules.limit is not None
        unasked = [each for each in self.live(rules) if not each.cancel]
        freed = False
        for each in unasked[: len(unasked) - rules.limit + 1]:
            if each.state == "running":
                each.cancel, each.kill = True, rules.overlap is Overlap.KILL_RUNNING
                each.cancel_reason = "replaced"
            else:
                each.end("cancelled", "replaced")
                freed = True
        return freed

    def _fill_pool(self) -> None:
        """Strictly in order: one that does not fit holds up the others."""
        for each in sorted((each for each in self._pooled() if each.state == "pooled"), key=lambda each: each.order):
            if self.pool_used() + each.rules.weight > self.pool_slots:
                break
            each.state = "ready"

    def claim(self, worker: str, slots: int) -> list[int]:
        """Return the ids that ``worker`` gets, in order."""
        ready = sorted((each for each in self.instances.values() if each.state == "ready"), key=lambda each: each.order)
        return [each.id for each in ready[:slots]]

    def claimed(self, instance_id: int, lease: int, worker: str) -> None:
        """Take note of one claim."""
        each = self.instances[instance_id]
        each.state, each.lease, each.worker, each.attempt = "running", lease, worker, each.attempt + 1

    def holder_of(self, lease: int) -> Instance | None:
        """The instance whose current lease it is."""
        return next((each for each in self.instances.values() if each.lease == lease), None)

    def report(self, lease: int, *, success: bool, retry: bool, counted: bool) -> str | None:
        """What becomes of a report: the decision, or None when it is refused."""
        each = self.holder_of(lease)
        if each is None:
            return None
        if success:
            each.end("succeeded", "completed")
        elif retry and each.cancel:
            each.end("cancelled", each.cancel_reason)
        elif retry and (not counted or each.attempt - each.losses - each.postponed < each.rules.max_attempts):
            each.state, each.lease, each.worker, each.turn = "delayed", None, None, self.turn()
            each.postponed += not counted
            return "retry"
        else:
            each.end("failed", "exception")
        return each.state

    def promote(self) -> None:
        """The delay of every retry is over."""
        for each in self.instances.values():
            if each.state == "delayed":
                each.state = "ready"

    def give_back(self, lease: int) -> None:
        """It was never claimed; what shall be cancelled ends."""
        if (each := self.holder_of(lease)) and each.cancel:
            each.end("cancelled", each.cancel_reason)
        elif each:
            each.state, each.lease, each.worker, each.attempt = "ready", None, None, each.attempt - 1

    def cancel(self, instance_id: int, *, kill: bool) -> None:
        """What has not started ends; what runs is asked; what has ended stays."""
        each = self.instances[instance_id]
        if each.state == "running":
            each.cancel, each.kill = True, each.kill or kill
        elif each.state in {"waiting", "pooled", "ready", "delayed"}:
            each.end("cancelled", "cancelled")

    def reap(self, gone: Iterable[str]) -> None:
        """Decide about the leases of the workers that are ``gone``."""
        silent = set(gone)
        for each in self.instances.values():
            if each.worker not in silent:
                continue
            if each.cancel:
                each.end("cancelled", each.cancel_reason)
            elif each.rules.on_worker_lost is OnWorkerLost.FAIL or each.losses >= self.max_losses:
                each.end("failed", "worker_lost")
            else:
                each.state, each.lease, each.worker, each.losses = "ready", None, None, each.losses + 1

    def _pooled(self) -> list[Instance]:
        return [each for each in self.instances.values() if each.rules.pooled]

    def _of(self, rules: Rules) -> list[Instance]:
        return [each for each in self.instances.values() if each.rules is rules]
