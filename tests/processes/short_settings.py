"""Settings with short times, for processes whose ends a test waits for."""

from config.settings import *  # noqa: F403 - a settings module is the other one with changes
from config.settings import WORKERS

WORKERS = {**WORKERS, "LEASE_SECONDS": 4, "DRAIN_SECONDS": 2, "KILL_WAIT_SECONDS": 1}
SCHEDULING = {"WATCHDOG_SECONDS": 2, "STATEMENT_TIMEOUT_SECONDS": 1}
