"""Why is it waiting? Each gate between a live instance and its start: passed or not, and in words.

The admin and the API show the same gates with the same sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.zones import absolute
from scheduling.domain.concurrency_key import render
from scheduling.domain.errors import InvalidField
from scheduling.domain.fleet import LiveNode, fleet
from scheduling.domain.policies import Overlap
from scheduling.domain.states import EntryState, Origin
from scheduling.failed_attempt import FailedAttempt, failed_attempt
from scheduling.instance_relations import entry_of, handler_and_params_of, task_of
from scheduling.line import ADMITTED, IN_POOL, MOST_COUNTED, Holder, line_before
from scheduling.models import Backfill, Pool, QueueEntry, Task, TaskInstance
from scheduling.pool_use import pool_use


class GateWord(StrEnum):
    """What an instance can wait for, for machines."""

    #: The moment that it is planned for.
    TIME = "time"
    #: The calendars of its task: they were asked when it fired, so this one is always passed.
    CALENDAR = "calendar"
    #: The delay before its next attempt.
    RETRY = "retry"
    #: The end of an earlier instance with the same key.
    OVERLAP = "overlap"
    #: Room within `max_running`.
    LIMIT = "limit"
    #: The other ticks of its backfill.
    BACKFILL = "backfill"
    #: Room in the task's pool.
    POOL = "pool"
    #: A node that serves its queue and runs its handler, and has a free slot.
    WORKER = "worker"


#: What a live instance waits for where its state alone says so.
_WORD_OF_STATE: dict[int, GateWord] = {
    EntryState.PLANNED: GateWord.TIME,
    EntryState.DELAYED: GateWord.RETRY,
    EntryState.POOLED: GateWord.POOL,
}

#: What it waits for, as a word for people.
GATE_LABELS = {
    GateWord.TIME: gettext_lazy("its time"),
    GateWord.CALENDAR: gettext_lazy("calendar"),
    GateWord.RETRY: gettext_lazy("next attempt"),
    GateWord.OVERLAP: gettext_lazy("overlap"),
    GateWord.LIMIT: gettext_lazy("limit"),
    GateWord.BACKFILL: gettext_lazy("backfill"),
    GateWord.POOL: gettext_lazy("pool"),
    GateWord.WORKER: gettext_lazy("worker"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One condition: whether it is met, what it is for machines, and a sentence for people.

    ``holders`` are the first of those that it waits for, ``more`` how many there are beside them. ``opens_at`` is
    known for gates of time only.
    """

    word: GateWord
    passed: bool
    sentence: str
    opens_at: datetime | None = None
    holders: Sequence[Holder] = ()
    more: int = 0
    pool_id: int | None = None


def reasons_for_waiting(instance: TaskInstance) -> list[Gate]:
    """Return the gates that concern ``instance``, in the order in which it passes them.

    Empty for one that runs or has ended. Gates that do not apply to it, such as a pool that its task does not use,
    are left out.
    """
    entry = entry_of(instance)
    if entry is None or entry.state == EntryState.RUNNING:
        return []
    gates = [_time_gate(entry)]
    task = task_of(instance)
    if task is not None and (calendar := _calendar_gate(task, instance)) is not None:
        gates.append(calendar)
    if entry.attempt:
        gates.append(_retry_gate(entry, failed_attempt(instance)))
    if task is not None:
        gates += [gate for gate in (_limit_gate(entry, task, instance), _backfill_gate(entry)) if gate is not None]
    if (pool := _pool_of(entry, task)) is not None:
        gates.append(_pool_gate(entry, pool))
    gates.append(_worker_gate(entry, fleet.live_nodes()))
    return gates


def next_attempt_at(instance: TaskInstance) -> datetime | None:
    """Return when the next attempt at ``instance`` comes; None unless it waits for one."""
    entry = entry_of(instance)
    return entry.run_at if entry is not None and entry.state == EntryState.DELAYED else None


def waiting_words(instances: Iterable[TaskInstance], *, tasks: Mapping[int, Task] | None = None) -> dict[int, GateWord]:
    """Return, by instance, the first thing that each of a page's instances waits for; three queries at most for all.

    Instances that run, have ended, or wait for nothing but a worker's next look are left out. The instances come
    with their queue entries (`with_entry`). ``tasks`` are theirs by id, if they have been read already, at least with
    `overlap` and `max_running`.
    """
    entries = [entry for entry in map(entry_of, instances) if entry is not None]
    words = {entry.pk: _WORD_OF_STATE[entry.state] for entry in entries if entry.state in _WORD_OF_STATE}
    words |= _admission_words([entry for entry in entries if entry.state == EntryState.WAITING], tasks)
    if ready := [entry for entry in entries if entry.state == EntryState.READY]:
        nodes = fleet.live_nodes()
        served = {(entry.queue, entry.handler): _takers(entry, nodes) for entry in ready}
        words |= {entry.pk: GateWord.WORKER for entry in ready if not served[entry.queue, entry.handler]}
    return words


def _admission_words(entries: list[QueueEntry], tasks: Mapping[int, Task] | None) -> dict[int, GateWord]:
    if not entries:
        return {}
    if tasks is None:
        tasks = Task.objects.in_bulk({entry.task_id for entry in entries})
    # How many have passed the gate matters for backfills alone; without any of them nothing is asked.
    gates = {entry.gate for entry in entries if entry.gate is not None and entry.backfill_id is not None}
    live = Counter(
        dict(
            QueueEntry.objects.filter(gate__in=gates, state__in=ADMITTED)
            .values_list("gate")
            .annotate(n=Count("pk"))
            .order_by()
        )
    )
    words = {}
    for entry in entries:
        task = tasks.get(entry.task_id)
        room = None if task is None else _room(task)
        if entry.backfill_id is not None and (room is None or live[entry.gate] < room):
            words[entry.pk] = GateWord.BACKFILL
        else:
            words[entry.pk] = GateWord.LIMIT if task is None else _limit_word(task)
    return words


def _time_gate(entry: QueueEntry) -> Gate:
    if entry.state == EntryState.PLANNED:
        return Gate(
            word=GateWord.TIME,
            passed=False,
            sentence=_("It is planned for %(moment)s.") % {"moment": absolute(entry.run_at)},
            opens_at=entry.run_at,
        )
    return Gate(word=GateWord.TIME, passed=True, sentence=_("Its time has come."))


def _calendar_gate(task: Task, instance: TaskInstance) -> Gate | None:
    """Return what the calendars of the task say: nothing that an instance would wait for, but people look for it."""
    names = list(task.calendars.order_by("name").values_list("name", flat=True))
    if not names:
        return None
    if instance.origin == Origin.SCHEDULE:
        sentence = _("Calendars are asked when a tick fires; this one was let through. The task uses: %(names)s.")
    else:
        sentence = _(
            "Calendars are asked about ticks of the schedule, not about a run on request. The task uses: %(names)s."
        )
    return Gate(word=GateWord.CALENDAR, passed=True, sentence=sentence % {"names": ", ".join(names)})


def _retry_gate(entry: QueueEntry, failed: FailedAttempt | None) -> Gate:
    own = max(entry.attempt - entry.losses - entry.postponed, 0)
    places = {"next": own + 1, "most": entry.max_attempts, "moment": absolute(entry.run_at)}
    if entry.state == EntryState.DELAYED:
        return Gate(
            word=GateWord.RETRY,
            passed=False,
            sentence=str(failed) if failed else _("Attempt %(next)d of %(most)d comes at %(moment)s.") % places,
            opens_at=entry.run_at,
        )
    return Gate(word=GateWord.RETRY, passed=True, sentence=_("Attempt %(next)d of %(most)d may start.") % places)


def _room(task: Task) -> int | None:
    """Return how many instances of the task's key may be admitted at once; None without a limit."""
    if task.max_running is not None:
        return task.max_running
    return None if task.overlap == Overlap.ALLOW else 1


def _limit_word(task: Task) -> GateWord:
    return GateWord.OVERLAP if task.max_running is None else GateWord.LIMIT


def _limit_gate(entry: QueueEntry, task: Task, instance: TaskInstance) -> Gate | None:
    room, word = _room(task), _limit_word(task)
    if room is None or entry.gate is None:
        return None
    if entry.state in ADMITTED:
        return Gate(word=word, passed=True, sentence=_("It has its place within the limit."))
    line = line_before(entry, {"gate": entry.gate}, held=ADMITTED)
    words = {"key": _key_in_words(task, instance), "live": line.live, "room": room}
    under_way = _("%(live)d of at most %(room)d instances of %(key)s are under way.")
    if line.live + line.ahead < room:
        sentence = (_("Nothing of %(key)s is unfinished.") if not line.live else under_way) % words
        return Gate(word=word, passed=True, sentence=sentence)
    if word is GateWord.OVERLAP:
        sentence = _("An earlier instance of %(key)s is unfinished.") % words
        if line.told_to_stop:
            sentence += " " + _("It was told to stop.")
    else:
        sentence = under_way % words
    if line.ahead:
        sentence += " " + _waiting_in_words(line.ahead)
    return Gate(word=word, passed=False, sentence=sentence, holders=line.holders, more=line.more)


def _backfill_gate(entry: QueueEntry) -> Gate | None:
    backfill = Backfill.objects.filter(pk=entry.backfill_id).first() if entry.backfill_id is not None else None
    if backfill is None:
        return None
    most = backfill.max_parallel if backfill.overlap == Overlap.ALLOW else 1
    line = line_before(entry, {"task_id": entry.task_id, "backfill_id": backfill.pk}, held=ADMITTED)
    passed = entry.state in ADMITTED or line.live + line.ahead < most
    sentence = ngettext(
        "Backfill %(id)d runs %(most)d tick at once; %(live)d others are under way.",
        "Backfill %(id)d runs %(most)d ticks at once; %(live)d others are under way.",
        most,
    ) % {"id": backfill.pk, "most": most, "live": line.live}
    if passed:
        return Gate(word=GateWord.BACKFILL, passed=True, sentence=sentence)
    return Gate(word=GateWord.BACKFILL, passed=False, sentence=sentence, holders=line.holders, more=line.more)


def _pool_gate(entry: QueueEntry, pool: Pool) -> Gate:
    if entry.state in IN_POOL:
        sentence = _("It has its place in the pool “%(pool)s”.") % {"pool": pool.name}
        return Gate(word=GateWord.POOL, passed=True, sentence=sentence, pool_id=pool.pk)
    use = pool_use([pool])[pool.pk]
    weight = min(entry.pool_weight, pool.slots)
    if pool.slots:
        sentence = _("%(used)d of %(slots)d slots of the pool “%(pool)s” are used; it takes %(weight)d.") % {
            "used": use.used,
            "slots": pool.slots,
            "pool": pool.name,
            "weight": weight,
        }
    else:
        sentence = _("The pool “%(pool)s” has no slots: it admits nothing.") % {"pool": pool.name}
    line = line_before(entry, {"pool_id": pool.pk}, held=IN_POOL, waits=EntryState.POOLED)
    if line.ahead:
        sentence += " " + _waiting_in_words(line.ahead)
    elif pool.slots and use.used + weight <= pool.slots:
        return Gate(word=GateWord.POOL, passed=True, sentence=sentence, pool_id=pool.pk)
    return Gate(
        word=GateWord.POOL, passed=False, sentence=sentence, holders=line.holders, more=line.more, pool_id=pool.pk
    )


def _worker_gate(entry: QueueEntry, nodes: Sequence[LiveNode]) -> Gate:
    takers = _takers(entry, nodes)
    if not nodes:
        sentence = _("No node is alive; start a worker: manage.py runworker.")
        return Gate(word=GateWord.WORKER, passed=False, sentence=sentence)
    sentence = ngettext(
        "%(takers)d of %(nodes)d live node serves the queue %(queue)s with the handler %(handler)s.",
        "%(takers)d of %(nodes)d live nodes serve the queue %(queue)s with the handler %(handler)s.",
        len(nodes),
    ) % {"takers": len(takers), "nodes": len(nodes), "queue": entry.queue, "handler": entry.handler}
    gate = Gate(word=GateWord.WORKER, passed=bool(takers), sentence=sentence)
    slots = sum(node.slots for node in takers)
    if takers and entry.state == EntryState.READY and sum(node.busy for node in takers) >= slots:
        full = ngettext("Its slot is busy.", "All of their %(slots)d slots are busy.", slots) % {"slots": slots}
        return replace(gate, passed=False, sentence=f"{sentence} {full}")
    return gate


def _takers(entry: QueueEntry, nodes: Sequence[LiveNode]) -> list[LiveNode]:
    return [node for node in nodes if node.serves(entry.queue, entry.handler)]


def _key_in_words(task: Task, instance: TaskInstance) -> str:
    """Return what the limit counts by: the task, or the concurrency key as its params render it."""
    if not task.concurrency_key:
        return _("the task “%(name)s”") % {"name": task.name}
    _handler, params = handler_and_params_of(instance)
    try:
        key = render(task.concurrency_key, params or {})
    except InvalidField:
        key = task.concurrency_key
    return _("the key “%(key)s”") % {"key": key}


def _waiting_in_words(count: int) -> str:
    if count > MOST_COUNTED:
        return _("More than %(n)d wait before it.") % {"n": MOST_COUNTED}
    return ngettext("%(n)d waits before it.", "%(n)d wait before it.", count) % {"n": count}


def _pool_of(entry: QueueEntry, task: Task | None) -> Pool | None:
    """Return the pool that the instance uses: as a rule the one that its task uses today."""
    if entry.pool_id is None:
        return None
    if task is not None and task.pool_id == entry.pool_id:
        return task.pool
    return Pool.objects.filter(pk=entry.pool_id).first()
