"""What an installation can set about workers: ``settings.WORKERS``, with defaults."""

from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings


@dataclass(frozen=True, kw_only=True)
class WorkersConf:
    """Durations are in seconds, sizes in bytes."""

    heartbeat_seconds: float
    #: A worker that has not been heard of for so long has lost its leases.
    lease_seconds: float
    #: A worker that could not renew for so long stops by itself, before others take its work.
    fence_seconds: float
    #: The reaper ends an execution so long after its deadline, should its worker not have done so.
    deadline_slack_seconds: float
    #: How often an instance may lose its worker before it fails.
    max_losses: int
    #: The fallback when every wake-up is lost.
    poll_seconds: float
    #: How long a draining worker waits for what it runs.
    drain_seconds: float
    #: How long it then waits for what it has told to stop.
    kill_wait_seconds: float
    log_flush_seconds: float
    log_chunk_bytes: int
    #: Of each execution's log, so much of its head and of its tail is kept.
    log_head_bytes: int
    log_tail_bytes: int


@lru_cache(maxsize=1)
def conf() -> WorkersConf:
    """Return the settings of this process."""
    given = getattr(settings, "WORKERS", {})
    lease = float(given.get("LEASE_SECONDS", 20))
    return WorkersConf(
        heartbeat_seconds=float(given.get("HEARTBEAT_SECONDS", lease / 4)),
        lease_seconds=lease,
        fence_seconds=lease * 3 / 4,
        deadline_slack_seconds=float(given.get("DEADLINE_SLACK_SECONDS", 30)),
        max_losses=int(given.get("MAX_LOSSES", 3)),
        poll_seconds=float(given.get("POLL_SECONDS", 1)),
        drain_seconds=float(given.get("DRAIN_SECONDS", 30)),
        kill_wait_seconds=float(given.get("KILL_WAIT_SECONDS", 12)),
        log_flush_seconds=float(given.get("LOG_FLUSH_SECONDS", 0.3)),
        log_chunk_bytes=int(given.get("LOG_CHUNK_BYTES", 64 * 1024)),
        log_head_bytes=int(given.get("LOG_HEAD_BYTES", 4 * 1024 * 1024)),
        log_tail_bytes=int(given.get("LOG_TAIL_BYTES", 1024 * 1024)),
    )
