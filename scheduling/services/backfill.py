"""Backfill: run the ticks of a past range, as many at once as was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import require
from accounts.roles import Action
from scheduling.db import callers_connection
from scheduling.domain.errors import InvalidField
from scheduling.domain.errors import gettext_noop as _n
from scheduling.domain.moments import check_moment
from scheduling.domain.policies import TriggerKind
from scheduling.domain.states import EntryState, InstanceState, Origin
from scheduling.domain.triggers.base import Trigger
from scheduling.domain.triggers.bounds import INSTANT
from scheduling.domain.triggers.registry import next_fires
from scheduling.engine.cancel import cancel
from scheduling.models import Backfill, QueueEntry, Task, TaskInstance
from scheduling.notify import announce_on_commit
from scheduling.services.admission import admit_on_commit
from scheduling.services.validation import trigger_of

#: The most ticks that one backfill takes.
MOST_TICKS = 10_000

#: A range is counted up to here, so that its refusal can name the number.
_MOST_COUNTED = 10 * MOST_TICKS

#: The fields that whoever asks for a backfill chooses from a list or a range.
_CHOSEN = {"overlap", "reprocess", "max_parallel"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BackfillPlan:
    """What a backfill would do."""

    #: The ticks to run, oldest first, in UTC.
    ticks: list[datetime]
    #: How many ticks the range has, those included that have a run already.
    in_range: int

    @property
    def left_out(self) -> int:
        """How many ticks of the range stay as they are, because of what became of them before."""
        return self.in_range - len(self.ticks)


def plan_backfill(backfill: Backfill) -> BackfillPlan:
    """Return what ``backfill``, not stored, would run. Raises ValidationError by field.

    The ticks are those of the task's present schedule in [from_at, until_at], whatever a calendar says. Whether a
    tick has a run is asked of its own instance and of earlier backfills: a row that says why it did not run is none,
    and what a running backfill has still to make is one.
    """
    trigger = _checked_trigger(backfill)
    start = backfill.from_at - INSTANT
    count = trigger.count_between(start, backfill.until_at, cap=_MOST_COUNTED)
    if count > MOST_TICKS:
        number = str(count) if count < _MOST_COUNTED else _("%(n)d or more") % {"n": _MOST_COUNTED}
        raise ValidationError(
            {
                "until_at": _("This range has %(number)s ticks; one backfill takes at most %(most)d.")
                % {"number": number, "most": MOST_TICKS}
            }
        )
    in_range = next_fires(trigger, start, count)
    settled = _settled(backfill)
    return BackfillPlan(ticks=[tick for tick in in_range if tick not in settled], in_range=len(in_range))


def create_backfill(backfill: Backfill, *, actor: User | None = None) -> Backfill:
    """Check and store ``backfill``; the schedulers start it as soon as the transaction commits.

    Its ticks are fixed now, so that it does what `plan_backfill` said. Asked for twice, such as after a time-out, the
    same range runs once. Raises ValidationError by field, also when there is nothing to run, and PermissionDenied.
    """
    require(actor, Action.OPERATE, backfill.task.namespace_id)
    with transaction.atomic():
        # Locked, so that of two for the same range the later one sees what the earlier one is going to run.
        Task.objects.select_for_update(no_key=True).filter(pk=backfill.task_id).values_list("pk").first()
        plan = plan_backfill(backfill)
        if not plan.ticks:
            raise ValidationError({"until_at": nothing_to_run(plan)})
        backfill.namespace_id = backfill.task.namespace_id
        backfill.ticks, backfill.total = plan.ticks, len(plan.ticks)
        backfill.created_count, backfill.state = 0, "running"
        backfill.created_by = actor
        backfill.save(force_insert=True)
        announce_on_commit(entries=True)
    backfill.refresh_from_db(fields=["created_at"])
    return backfill


def nothing_to_run(plan: BackfillPlan) -> str:
    """Return the sentence for a plan without ticks."""
    if not plan.in_range:
        return _("The task has no tick in this range.")
    return _("Each of the %(n)d ticks in this range has a run already, or is about to have one.") % {"n": plan.in_range}


def stop_backfill(backfill: Backfill, *, actor: User | None = None, cancel_running: bool = False) -> int:
    """Make no further instances of ``backfill``, and cancel those that wait; return how many were cancelled.

    What runs goes on, unless ``cancel_running`` asks for its end as well. A backfill that has ended is left as
    it is. Raises PermissionDenied.
    """
    require(actor, Action.OPERATE, backfill.namespace_id)
    by = actor.get_username() if actor is not None else _n("the system")
    message = _n("Backfill %(id)d was stopped by %(name)s.") % {"id": backfill.pk, "name": by}
    with transaction.atomic():
        stopped = Backfill.objects.filter(pk=backfill.pk, state="running").update(
            state="stopped", finished_at=timezone.now()
        )
        if not stopped and not cancel_running:
            return 0
        entries = QueueEntry.objects.filter(task=backfill.task_id, backfill_id=backfill.pk)
        if not cancel_running:
            entries = entries.exclude(state=EntryState.RUNNING.value)
        # Locked, so that none of them starts between being chosen and being cancelled.
        ids = list(entries.order_by("pk").select_for_update(of=("self",)).values_list("instance_id", flat=True))
        result = cancel(callers_connection(), ids, message=message)
        if result.requested:
            announce_on_commit(control=True)
        admit_on_commit(result.gates, result.pools)
    backfill.refresh_from_db(fields=["state", "finished_at", "created_count"])
    return len(result.cancelled) + len(result.requested)


def _checked_trigger(backfill: Backfill) -> Trigger:
    """Return the task's trigger, or raise ValidationError by field for what cannot be asked for."""
    problems: dict[str, list[str]] = {}
    for name in ("from_at", "until_at"):
        try:
            check_moment(name, getattr(backfill, name))
        except InvalidField as error:
            problems[name] = [_(error.message) % error.params]
    if not problems:
        if backfill.until_at < backfill.from_at:
            problems["until_at"] = [_("The range ends before it begins.")]
        elif backfill.until_at > timezone.now():
            problems["until_at"] = [_("The range must lie in the past: what is to come runs by itself.")]
    if backfill.overlap != "allow" and backfill.max_parallel > 1:
        problems["max_parallel"] = [_("“One after the other” means one at once; choose “side by side” for more.")]
    try:
        backfill.clean_fields(exclude={field.name for field in Backfill._meta.fields} - _CHOSEN)
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            problems.setdefault(name, []).extend(messages)
    task = backfill.task
    if task.trigger in (TriggerKind.MANUAL, TriggerKind.FIXED_DELAY):
        sentences = {
            TriggerKind.MANUAL: _("This task only runs by hand, so no tick of it lies in the past."),
            TriggerKind.FIXED_DELAY: _("A fixed delay counts from the end of a run, so the past has no ticks to run."),
        }
        problems["task"] = [sentences[TriggerKind(task.trigger)]]
    if problems:
        raise ValidationError(dict(problems))
    try:
        return trigger_of(task)
    except InvalidField as error:
        raise ValidationError({"task": [_(error.message) % error.params]}) from error


def _settled(backfill: Backfill) -> set[datetime]:
    """Return the moments in the range that are left alone: by the reprocess rule, or since a backfill runs them now."""
    # Asked first: a tick that becomes an instance between the two questions counts twice instead of not at all.
    under_way = _under_way(backfill)
    if backfill.reprocess == "all":
        return under_way
    rows = (
        TaskInstance.objects.filter(
            task=backfill.task_id,
            scheduled_for__range=(backfill.from_at, backfill.until_at),
            origin__in=(Origin.SCHEDULE.value, Origin.BACKFILL.value),
        )
        .order_by("id")
        .values_list("scheduled_for", "outcome", "started_at")
    )
    settled: dict[datetime, bool] = {}
    for moment, outcome, started_at in rows.iterator():
        if outcome == InstanceState.SKIPPED or (outcome == InstanceState.CANCELLED and started_at is None):
            continue  # it never ran
        settled[moment] = not (backfill.reprocess == "failed" and outcome == InstanceState.FAILED)
    return under_way.union(moment for moment, let_be in settled.items() if let_be)


def _under_way(backfill: Backfill) -> set[datetime]:
    """Return what running backfills of the task have still to make; for one that repeats everything, all of theirs."""
    ticks: set[datetime] = set()
    others = Backfill.objects.filter(task=backfill.task_id, state="running")
    for made, planned in others.values_list("created_count", "ticks"):
        ticks.update(planned if backfill.reprocess == "all" else planned[made:])
    return ticks
