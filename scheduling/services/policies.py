"""Do a task's policies fit each other, its handler and its pool?"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from scheduling.domain.concurrency_key import check_places, places_of
from scheduling.domain.errors import InvalidField
from scheduling.domain.failure_words import check_failure_words
from scheduling.domain.handlers import catalogue
from scheduling.domain.policies import Backoff
from scheduling.models import Pool, Task
from scheduling.services.problems import Problem

#: The longest delay between two attempts, in seconds: thirty days.
LONGEST_DELAY = 30 * 86400

#: Further delays than this are a typing error; the last one goes on anyway.
MOST_DELAYS = 100

#: The limits that hold for processes only.
PROCESS_LIMITS = ("max_processes", "max_memory_mb", "max_cpu_seconds")


def policy_problems(task: Task) -> list[Problem]:
    """Return what is wrong with the policies of ``task``; each field by itself is checked by the model."""
    return [
        *_retry_problems(task),
        *_time_limit_problems(task),
        *_process_limit_problems(task),
        *_key_problems(task),
        *_pool_problems(task),
    ]


def _retry_problems(task: Task) -> Iterator[Problem]:
    if task.retry_backoff == Backoff.LIST:
        if not task.retry_delays:
            yield Problem(field="retry_delays", message=_("Give at least one delay, such as 10, 60, 600."))
    elif task.retry_delays:
        yield Problem(
            field="retry_delays", message=_("These are for a list of delays; set the delay between attempts to that.")
        )
    if len(task.retry_delays or ()) > MOST_DELAYS:
        yield Problem(
            field="retry_delays",
            message=_("Give at most %(most)d delays; the last one goes on.") % {"most": MOST_DELAYS},
        )
    for position, delay in enumerate(task.retry_delays or ()):
        if isinstance(delay, int) and delay > LONGEST_DELAY:
            message = _("A delay is at most %(most)d seconds (30 days).") % {"most": LONGEST_DELAY}
            yield Problem(field="retry_delays", path=(position,), message=message)
    words = {"retry_on": task.retry_on or [], "give_up_on": task.give_up_on or []}
    for field, given in words.items():
        try:
            check_failure_words(field, given)
        except InvalidField as error:
            yield _problem(error)
    for word in sorted(set(words["retry_on"]) & set(words["give_up_on"])):
        yield Problem(
            field="give_up_on",
            message=_("“%(word)s” also stands under “retry only on”; it can be one of them.") % {"word": word},
        )


def _time_limit_problems(task: Task) -> Iterator[Problem]:
    soft, hard = task.soft_timeout_seconds, task.timeout_seconds
    if soft is not None and hard is not None and soft >= hard:
        yield Problem(
            field="soft_timeout_seconds",
            message=_("Warn before the time limit of %(hard)d s is over.") % {"hard": hard},
        )


def _process_limit_problems(task: Task) -> Iterator[Problem]:
    limited = [field for field in PROCESS_LIMITS if getattr(task, field) is not None]
    spec = catalogue.get(task.handler)
    if not limited or spec is None or not isinstance(task.params, dict):
        return
    if why := spec.why_no_process_limits(task.params):
        for field in limited:
            yield Problem(field=field, message=why)


def _key_problems(task: Task) -> Iterator[Problem]:
    if not task.concurrency_key:
        return
    spec = catalogue.get(task.handler)
    try:
        if spec is None:
            places_of(task.concurrency_key)
        else:
            check_places(task.concurrency_key, spec.params_schema())
    except InvalidField as error:
        yield _problem(error)


def _pool_problems(task: Task) -> Iterator[Problem]:
    pool = _pool_of(task)
    if pool is None:
        return
    if pool.namespace_id != task.namespace_id:
        yield Problem(field="pool", message=_("“%(name)s” is a pool of another namespace.") % {"name": pool.name})
    elif pool.slots and isinstance(task.pool_weight, int) and task.pool_weight > pool.slots:
        yield Problem(
            field="pool_weight",
            message=_("The pool “%(name)s” has %(slots)d slots; one instance cannot take %(weight)d.")
            % {"name": pool.name, "slots": pool.slots, "weight": task.pool_weight},
        )


def _pool_of(task: Task) -> Pool | None:
    try:
        return task.pool
    except Pool.DoesNotExist:
        return None  # the model's own check says so


def _problem(error: InvalidField) -> Problem:
    return Problem(field=error.field, message=_(error.message) % error.params)
