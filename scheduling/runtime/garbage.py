"""Python's garbage collector in a process that lives long and makes many short-lived objects."""

from __future__ import annotations

import gc

#: So many more objects than before start a collection of the young ones.
COLLECT_AFTER = 10_000


def leave_startup_out_of_collections() -> None:
    """Spare the collector what lives as long as the process, and have it run less often. To be called once started.

    Going through every module and class again after each few hundred new objects took a third of a busy worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
