"""The values that a task's policies can take. The first member of each is the default."""

from enum import StrEnum


class TriggerKind(StrEnum):
    """Which rule yields the fire times."""

    CRON = "cron"
    INTERVAL = "interval"
    #: The delay counts from the end of the previous instance.
    FIXED_DELAY = "fixed_delay"
    ONCE = "once"
    MANUAL = "manual"


class Overlap(StrEnum):
    """What happens to a new instance while an earlier one with the same concurrency key is unfinished."""

    #: It ends as ``skipped``.
    SKIP = "skip"
    #: One may wait; the others end as ``skipped``.
    QUEUE_ONE = "queue_one"
    #: All of them wait.
    QUEUE_ALL = "queue_all"
    #: The earlier one is asked to stop, and the newest takes its place.
    CANCEL_RUNNING = "cancel_running"
    #: The same, and the earlier one gets no grace.
    KILL_RUNNING = "kill_running"
    #: It runs beside the earlier one.
    ALLOW = "allow"


class OnWorkerLost(StrEnum):
    """What happens to an instance whose worker vanished while it ran."""

    RETRY = "retry"
    FAIL = "fail"


class Backoff(StrEnum):
    """How the delay before the next attempt grows."""

    EXPONENTIAL = "exponential"
    FIXED = "fixed"
    #: One delay for each attempt, as given; the last one goes on.
    LIST = "list"
