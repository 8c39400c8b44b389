"""What an installation can set about scheduling: ``settings.SCHEDULING``, with defaults."""

from dataclasses import dataclass, fields
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, kw_only=True)
class SchedulingConf:
    """Durations are in seconds."""

    #: How far ahead a scheduler reads due clocks.
    HORIZON_SECONDS: float = 30.0
    #: The longest sleep of a scheduler, should every wake-up be lost.
    LONGEST_SLEEP_SECONDS: float = 15.0
    #: How many firings go into one statement at most. Each holds an advisory lock meanwhile.
    FIRE_BATCH: int = 1000
    #: How many due clocks one read fetches.
    READ_BATCH: int = 20_000
    #: How often the maintainers (reaping, sweeping) run.
    MAINTENANCE_SECONDS: float = 5.0
    #: How many days of partitions are kept ready ahead.
    PARTITION_DAYS_AHEAD: int = 7
    #: How often a scheduler says that it lives.
    HEARTBEAT_SECONDS: float = 5.0
    #: A tick that waits for longer than this makes `/readyz` say so.
    READY_LAG_SECONDS: float = 60.0
    #: A scheduler or worker whose loop has not turned for so long ends itself; 0: never.
    WATCHDOG_SECONDS: float = 30.0
    #: A statement of a scheduler or worker that takes longer is taken for hung; 0: none is.
    STATEMENT_TIMEOUT_SECONDS: float = 20.0
    #: How many days instances and executions are kept; 0: for ever.
    RETENTION_DAYS: int = 90
    #: How many days logs are kept; 0: as long as their executions, which is the most.
    LOG_RETENTION_DAYS: int = 30
    #: How many days statistics are kept; 0: for ever.
    STATISTICS_DAYS: int = 400
    #: How many days a replaced revision of a task and a past period of its schedule are kept; 0: for ever.
    DEFINITION_DAYS: int = 400
    #: The dotted path of a function that is called with each partition before it is dropped.
    ARCHIVE_PARTITION: str = ""

    def __post_init__(self) -> None:
        if 0 < self.WATCHDOG_SECONDS <= self.STATEMENT_TIMEOUT_SECONDS:
            raise ImproperlyConfigured(
                "SCHEDULING['WATCHDOG_SECONDS'] must be greater than SCHEDULING['STATEMENT_TIMEOUT_SECONDS'] "
                f"({self.STATEMENT_TIMEOUT_SECONDS:g}), or a hung statement would end the process instead of being "
                "cancelled."
            )

    @property
    def live_seconds(self) -> float:
        """After so much silence a scheduler counts as gone."""
        return 3 * self.HEARTBEAT_SECONDS


@lru_cache(maxsize=1)
def conf() -> SchedulingConf:
    """Return the settings of this process; an unknown key raises ImproperlyConfigured with its name."""
    given = dict(getattr(settings, "SCHEDULING", {}))
    known = {field.name for field in fields(SchedulingConf)}
    for key in given:
        if key not in known:
            raise ImproperlyConfigured(f"SCHEDULING[{key!r}] is not a setting; known: {', '.join(sorted(known))}")
    return SchedulingConf(**given)
