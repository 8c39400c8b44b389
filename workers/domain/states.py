"""The states of an execution and of a node."""

from enum import StrEnum


class ExecutionState(StrEnum):
    """One attempt, from its claim to its end."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    #: Its lease ended without a result.
    LOST = "lost"


#: Every arrow that an execution may take. docs/lifecycle.md draws the same arrows.
EXECUTION_TRANSITIONS: dict[ExecutionState, frozenset[ExecutionState]] = {
    ExecutionState.RUNNING: frozenset(
        {
            ExecutionState.SUCCEEDED,
            ExecutionState.FAILED,
            ExecutionState.TIMED_OUT,
            ExecutionState.CANCELLED,
            ExecutionState.LOST,
        }
    ),
    ExecutionState.SUCCEEDED: frozenset(),
    ExecutionState.FAILED: frozenset(),
    ExecutionState.TIMED_OUT: frozenset(),
    ExecutionState.CANCELLED: frozenset(),
    ExecutionState.LOST: frozenset(),
}


class NodeState(StrEnum):
    """What a node's worker said last; whether it is alive follows from its heartbeat."""

    ONLINE = "online"
    #: Takes no new work and finishes what it runs.
    DRAINING = "draining"
    #: Ended in order.
    STOPPED = "stopped"


class NodeHealth(StrEnum):
    """What a person sees: the worker's word, judged by the age of its heartbeat."""

    ONLINE = "online"
    DRAINING = "draining"
    STOPPED = "stopped"
    #: It stopped sending heartbeats without a word.
    LOST = "lost"
