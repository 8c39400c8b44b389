"""Settings under which a watchdog is quick and a statement may take for ever."""

from config.settings import *  # noqa: F403 - a settings module is the other one with changes

SCHEDULING = {
    "WATCHDOG_SECONDS": 2,
    "STATEMENT_TIMEOUT_SECONDS": 0,
    "LONGEST_SLEEP_SECONDS": 1,
    "HEARTBEAT_SECONDS": 0.5,
}
