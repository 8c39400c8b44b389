"""The life of a task instance: its states, the arrows between them, and how the queue stores them."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class InstanceState(StrEnum):
    """What a person sees of an instance at this moment."""

    #: Planned or held back: not yet its time, a limit, an overlap, or a retry delay.
    WAITING = "waiting"
    #: A worker may take it now.
    READY = "ready"
    #: A worker holds its lease.
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    #: Decided not to run; the reason says why. Not a failure.
    SKIPPED = "skipped"


FINAL_STATES = frozenset(
    {InstanceState.SUCCEEDED, InstanceState.FAILED, InstanceState.CANCELLED, InstanceState.SKIPPED}
)

#: Every arrow that an instance may take. docs/lifecycle.md draws the same arrows, and a test compares the two.
TRANSITIONS: dict[InstanceState, frozenset[InstanceState]] = {
    InstanceState.WAITING: frozenset(
        {InstanceState.READY, InstanceState.CANCELLED, InstanceState.SKIPPED, InstanceState.FAILED}
    ),
    InstanceState.READY: frozenset({InstanceState.RUNNING, InstanceState.CANCELLED, InstanceState.FAILED}),
    InstanceState.RUNNING: frozenset(
        {
            InstanceState.WAITING,  # a retry after a delay
            InstanceState.READY,  # the worker was lost, or gave it back while draining
            InstanceState.SUCCEEDED,
            InstanceState.FAILED,
            InstanceState.CANCELLED,
        }
    ),
    InstanceState.SUCCEEDED: frozenset(),
    InstanceState.FAILED: frozenset(),
    InstanceState.CANCELLED: frozenset(),
    InstanceState.SKIPPED: frozenset(),
}


class EntryState(IntEnum):
    """How a live instance stands in the queue. The numbers are written into SQL and partial indexes."""

    #: Claimable now.
    READY = 0
    #: Claimed; the lease id says by which execution.
    RUNNING = 1
    #: Waits at its gate: a limit or an overlap rule decides.
    WAITING = 2
    #: Admitted, and waits for the time of its next attempt; keeps its place in the limit.
    DELAYED = 3
    #: Planned for a later moment; not admitted yet.
    PLANNED = 4
    #: Let through by its gate, where it keeps its place, and waits for room in its pool.
    POOLED = 5


STATE_OF_ENTRY: dict[EntryState, InstanceState] = {
    EntryState.READY: InstanceState.READY,
    EntryState.RUNNING: InstanceState.RUNNING,
    EntryState.WAITING: InstanceState.WAITING,
    EntryState.DELAYED: InstanceState.WAITING,
    EntryState.PLANNED: InstanceState.WAITING,
    EntryState.POOLED: InstanceState.WAITING,
}


class Origin(StrEnum):
    """What made an instance."""

    #: The task's own trigger.
    SCHEDULE = "schedule"
    #: A person, in the admin.
    MANUAL = "manual"
    #: A call of the REST API.
    API = "api"
    #: `run_task` in somebody's code.
    CODE = "code"
    #: "Run again" on an earlier instance.
    RERUN = "rerun"
    #: A past range, run on request.
    BACKFILL = "backfill"


class SchedulerHealth(StrEnum):
    """What a person sees of a scheduler process."""

    ONLINE = "online"
    #: Ended in order.
    STOPPED = "stopped"
    #: It stopped sending heartbeats without a word.
    LOST = "lost"


class Reason(StrEnum):
    """Why an instance or execution ended as it did, for machines. Handlers add words of their own."""

    #: The handler returned.
    COMPLETED = "completed"
    #: The handler raised.
    EXCEPTION = "exception"
    #: The work did not end within its time limit.
    TIMED_OUT = "timed_out"
    #: The lease ended without a result.
    WORKER_LOST = "worker_lost"
    #: Somebody asked for it.
    CANCELLED = "cancelled"
    #: An earlier instance was unfinished, or a newer one took the place for which this one waited.
    OVERLAP = "overlap"
    #: A newer instance took its place.
    REPLACED = "replaced"
    #: The moment passed while nobody could fire it.
    MISFIRE = "misfire"
    #: A calendar says that it does not run then.
    CALENDAR = "calendar"
    #: The schedule was edited before this tick was decided.
    EDITED = "edited"
    #: The task was paused then, and its schedule began anew when it went on.
    PAUSED = "paused"
    #: No installed handler has that name.
    UNKNOWN_HANDLER = "unknown_handler"
    #: The task was deleted while this instance waited.
    TASK_DELETED = "task_deleted"
    #: The params no longer fit the handler's schema.
    INVALID_PARAMS = "invalid_params"
    #: The queue and the history did not fit together, and a repair decided.
    REPAIRED = "repaired"
    #: Its processes were more than the task's limit, or took more memory or CPU time.
    PROCESS_LIMIT = "process_limit"
    MEMORY_LIMIT = "memory_limit"
    CPU_LIMIT = "cpu_limit"
    #: The task has limits that this worker cannot hold it to.
    LIMITS_UNSUPPORTED = "limits_unsupported"


#: Why a tick was passed over that no scheduler had decided when its schedule was given up.
PASSED_OVER = frozenset({Reason.EDITED, Reason.PAUSED})
