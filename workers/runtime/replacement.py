"""Starting this process anew: the only way to end a thread that cannot be stopped."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn


def start_anew(directory: Path) -> NoReturn:
    """Become the same program again: same command line, same process id, same environment, in ``directory``.

    Nothing of the old program goes on: all threads end with it, and open files close (PEP 446). Whoever watches this
    process notices nothing. Raises OSError when the program cannot be started.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.chdir(directory)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line, as it was
