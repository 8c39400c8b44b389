"""How the worker's machine does: what a heartbeat tells of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_MEMORY = Path("/proc/meminfo")


def machine() -> dict[str, float | int]:
    """Return what is known, each by its name; what the system does not tell is left out.

    ``load`` is the mean number of processes that ran or wanted to, over a minute (getloadavg(3)); ``cpus`` how many of
    them can run at once; ``memory_bytes`` and ``memory_free_bytes`` are MemTotal and MemAvailable of proc(5). All but
    the load are whole numbers.
    """
    found: dict[str, float | int] = {"cpus": _cpus()}
    with contextlib.suppress(OSError):
        found["load"] = round(os.getloadavg()[0], 2)
    return found | _memory()


def _cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def _memory() -> dict[str, int]:
    names = {"MemTotal": "memory_bytes", "MemAvailable": "memory_free_bytes"}
    found = {}
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    for line in lines:
        name, _colon, rest = line.partition(":")
        amount = rest.split()
        if name in names and amount and amount[0].isdecimal():
            found[names[name]] = int(amount[0]) * 1024
    return found
