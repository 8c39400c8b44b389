"""Holds the processes of a run to their limits: measures them together, and says when they went beyond."""

import contextlib
import resource
from collections.abc import Mapping

from django.utils.translation import gettext

from scheduling.domain.states import Reason
from workers.handlers.errors import HandlerError
from workers.handlers.process_limits import ProcessLimits
from workers.handlers.process_table import (
    PROC,
    TICKS_PER_SECOND,
    Process,
    available,
    proportional_bytes,
    resident_bytes,
)

#: How often a run with limits is measured.
WATCH_SECONDS = 0.2
#: The kernel's own limits are set so much higher than a task's: they stop what is faster than we look, while
#: ordinary excess ends with our reason and our figures.
CPU_MARGIN_SECONDS = 2
MEMORY_MARGIN_MB = 1024
#: How much likelier than the worker the kernel ends a task's processes when the machine is out of memory.
_OOM_SCORE = 500
_MB = 1024 * 1024


def refuse_unless_measurable(limits: ProcessLimits) -> None:
    """Raise HandlerError("limits_unsupported") where there are limits and nothing to measure with."""
    if limits.any and not available():
        raise HandlerError(
            Reason.LIMITS_UNSUPPORTED,
            gettext(
                "This worker's machine has no /proc, so it cannot hold a task to limits of processes, memory or CPU "
                "time. Take the limits from the task, or run it on Linux."
            ),
        )


def refuse_limits_without_process(limits: ProcessLimits) -> None:
    """Raise HandlerError("limits_unsupported") where there are limits, and no process of its own to hold to them."""
    if limits.any:
        raise HandlerError(
            Reason.LIMITS_UNSUPPORTED,
            gettext(
                "Limits of processes, memory and CPU time hold for shell commands and for Python functions with "
                'isolation="process"; this is neither. Take the limits from the task.'
            ),
            retryable=False,
        )


def go_first_when_memory_is_out(pid: int) -> None:
    """Let the kernel choose this process, and what it starts, rather than the worker when it must end one."""
    with contextlib.suppress(OSError), open(f"{PROC}/{pid}/oom_score_adj", "w") as file:
        file.write(str(_OOM_SCORE))


class LimitWatch:
    """Measures one run. To be asked every WATCH_SECONDS.

    Processes are counted and memory and CPU time are summed over the whole tree. The kernel's limits of single
    processes (setrlimit(2)) are only a net below: RLIMIT_CPU and RLIMIT_DATA, with a margin. RLIMIT_NPROC is of no
    use here, since it counts everything that an account runs and does not hold for root.
    """

    def __init__(self, limits: ProcessLimits, pid: int) -> None:
        """Watch the run whose first process, just started, is ``pid``."""
        self._limits = limits
        self._last: dict[int, Process] = {}
        #: CPU ticks of processes that ended where no process of the run could wait for them.
        self._lost_ticks = 0
        self._set_nets(pid)

    def check(self, members: Mapping[int, Process]) -> None:
        """Raise HandlerError with ``process_limit``, ``memory_limit`` or ``cpu_limit`` when ``members`` exceed one.

        ``members`` are the run's processes by pid, ended ones that were not waited for included.
        """
        living = [process for process in members.values() if process.lives]
        limits = self._limits
        if limits.max_processes is not None and len(living) > limits.max_processes:
            raise HandlerError(
                Reason.PROCESS_LIMIT,
                gettext("It had %(count)d processes and may have %(limit)d (max_processes). All were killed.")
                % {"count": len(living), "limit": limits.max_processes},
                {"processes": len(living), "max_processes": limits.max_processes},
            )
        if limits.max_cpu_seconds is not None:
            self._check_cpu(members, limits.max_cpu_seconds)
        if limits.max_memory_mb is not None:
            self._check_memory(living, limits.max_memory_mb)

    def _check_cpu(self, members: Mapping[int, Process], limit: int) -> None:
        used = self._cpu_seconds(members)
        if used >= limit:
            raise HandlerError(
                Reason.CPU_LIMIT,
                gettext("It used %(used).1f s of CPU time and may use %(limit)d s (max_cpu_seconds). It was killed.")
                % {"used": used, "limit": limit},
                {"cpu_seconds": round(used, 2), "max_cpu_seconds": limit},
            )

    def _cpu_seconds(self, members: Mapping[int, Process]) -> float:
        for pid, before in self._last.items():
            now = members.get(pid)
            gone = now is None or now.started != before.started
            if gone and before.parent not in self._last:
                # Waited for by init: what it used is added to nobody's time.
                self._lost_ticks += before.cpu_ticks
        self._last = dict(members)
        return (self._lost_ticks + sum(process.cpu_ticks for process in members.values())) / TICKS_PER_SECOND

    def _check_memory(self, living: list[Process], limit: int) -> None:
        used = sum(resident_bytes(process.pid) for process in living)
        if used > limit * _MB:
            # Counted fairly, now that it matters: what forked processes share was counted for each of them.
            used = sum(proportional_bytes(process.pid) for process in living)
        if used > limit * _MB:
            raise HandlerError(
                Reason.MEMORY_LIMIT,
                gettext("It used %(used)d MiB of memory and may use %(limit)d MiB (max_memory_mb). It was killed.")
                % {"used": used // _MB, "limit": limit},
                {"memory_mb": used // _MB, "max_memory_mb": limit},
            )

    def _set_nets(self, pid: int) -> None:
        nets: list[tuple[int, int]] = []
        if self._limits.max_cpu_seconds is not None:
            nets.append((resource.RLIMIT_CPU, self._limits.max_cpu_seconds + CPU_MARGIN_SECONDS))
        if self._limits.max_memory_mb is not None:
            nets.append((resource.RLIMIT_DATA, (self._limits.max_memory_mb + MEMORY_MARGIN_MB) * _MB))
        for kind, most in nets:
            # It may have ended already, or be under a lower limit of the worker's own.
            with contextlib.suppress(OSError, ValueError):
                _soft, hard = resource.prlimit(pid, kind)
                if hard == resource.RLIM_INFINITY or hard > most:
                    resource.prlimit(pid, kind, (most, most))
