"""What the processes of one run may take, all of them together."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessLimits:
    """Limits of a task; None where there is no limit."""

    #: How many processes may live at once, the command's own included.
    max_processes: int | None = None
    #: How much memory they may have in RAM together, in MiB.
    max_memory_mb: int | None = None
    #: How much CPU time they may use together, in seconds.
    max_cpu_seconds: int | None = None

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return (self.max_processes, self.max_memory_mb, self.max_cpu_seconds) != (None, None, None)


NO_LIMITS = ProcessLimits()
