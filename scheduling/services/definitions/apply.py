"""Making what is stored equal to a set of definitions: all of it, or nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from scheduling.models import Calendar
from scheduling.services.calendars import find_calendar_problems
from scheduling.services.definitions.diff import ObjectChange, Outcome
from scheduling.services.definitions.documents import Documents
from scheduling.services.definitions.entries import CALENDAR, Entry, read_entries
from scheduling.services.definitions.plan import Plan, make_plan
from scheduling.services.definitions.problems import DefinitionProblem, DefinitionsRefused, Place
from scheduling.services.tasks import delete_task, save_task

#: Two sets are applied one after the other, so that what one compared with is still so when it stores.
_LOCK = 0x524F5441_0003


@dataclass(frozen=True, slots=True)
class Applied:
    """What was made of each object; with ``dry_run``, what would be."""

    changes: list[ObjectChange]
    dry_run: bool

    def count(self, outcome: Outcome) -> int:
        """Return how many objects came to this."""
        return Counter(each.outcome for each in self.changes)[outcome]

    @property
    def changes_something(self) -> bool:
        """Whether anything is not as it was."""
        return any(each.outcome is not Outcome.UNCHANGED for each in self.changes)


class _NothingKept(Exception):
    """Ends the transaction of a dry run."""


def apply_definitions(
    documents: Documents,
    *,
    owner: str = "",
    prune: bool = False,
    dry_run: bool = False,
    actor: User | None = None,
) -> Applied:
    """Create and change the tasks, calendars and pools that ``documents`` define, in one transaction.

    A field that is not given gets its default, except ``enabled``: a task that somebody paused stays paused.
    ``owner`` marks the tasks as belonging to this set of files; with ``prune``, tasks that carry the mark and are
    not in the set are deleted (their history stays). ``actor`` None is the system itself.

    Raises DefinitionsRefused with everything that is wrong, or PermissionDenied; then nothing is stored.
    """
    entries, problems = read_entries(documents.objects)
    problems = [*documents.problems, *problems, *_prune_problems(documents, owner=owner, prune=prune)]
    changes: list[ObjectChange] = []
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            plan = make_plan(entries, owner=owner, prune=prune and not problems, actor=actor)
            # A value that could not be read is missing in what was checked then; once is enough.
            known = {(each.subject, each.field) for each in problems if each.field}
            problems += [each for each in plan.problems if (each.subject, each.field) not in known]
            if not problems:
                _store_tasks(plan, actor)
                problems += _calendar_problems(entries, plan)
            if problems:
                raise DefinitionsRefused(problems)
            changes = plan.changes
            if dry_run:
                raise _NothingKept
    except _NothingKept:
        pass
    except IntegrityError as error:
        # Somebody stored one of the names after it was looked for.
        sentence = _("An object of the same name was stored at the same moment; apply again.")
        raise DefinitionsRefused([DefinitionProblem(place=Place(_("database")), message=sentence)]) from error
    return Applied(changes, dry_run)


def _prune_problems(documents: Documents, *, owner: str, prune: bool) -> list[DefinitionProblem]:
    if not prune:
        return []
    messages = []
    if not owner:
        messages.append(_("Say whose tasks may be deleted: owner."))
    if not documents.objects and not documents.problems:
        # An empty directory is far more often a wrong path than a wish.
        messages.append(_("There are no definitions; every task would be deleted."))
    return [DefinitionProblem(place=Place("prune"), message=each) for each in messages]


def _store_tasks(plan: Plan, actor: User | None) -> None:
    for change in plan.changes:
        if change.key not in plan.tasks or change.outcome is Outcome.UNCHANGED:
            continue
        task = plan.tasks[change.key]
        if change.outcome is Outcome.PRUNED:
            delete_task(task, actor=actor)
        else:
            save_task(task, calendars=plan.calendars[change.key], actor=actor)


def _calendar_problems(entries: list[Entry], plan: Plan) -> list[DefinitionProblem]:
    """Return what changed calendars would do to tasks that are not in the set; asked when everything is stored."""
    changed = {each.key for each in plan.changes if each.outcome is Outcome.CHANGED}
    problems = []
    for entry in (each for each in entries if each.kind == CALENDAR and each.key in changed):
        calendar = Calendar.objects.get(namespace__name=entry.namespace, name=entry.name)
        problems += [
            entry.problem(each.message, field=each.field, path=each.path) for each in find_calendar_problems(calendar)
        ]
    return problems
