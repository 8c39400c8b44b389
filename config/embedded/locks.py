"""Locks between processes that the kernel drops when their holder ends, however it ends (flock(2))."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """An open file that this process can lock, shared or exclusively.

    A forked child shares the lock, which is then held until both have closed it; a program that is started
    does not inherit it (PEP 446). Closing is therefore the only way to give it up here: LOCK_UN would take it
    from the child too.
    """

    def __init__(self, path: Path) -> None:
        """Opens `path`, creating it for its owner alone; raises OSError when that is impossible."""
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def share(self) -> None:
        """Waits until nobody holds the lock exclusively, and holds it together with others."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def own(self) -> None:
        """Waits until nobody else holds the lock, and holds it alone."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def try_own(self) -> bool:
        """Holds the lock alone if nobody else holds it; False, at once, if somebody does."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def is_current(self) -> bool:
        """Tells whether the path still leads to the locked file; not when it was removed or made anew."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def write(self, text: str) -> None:
        """Replaces the file's content, a note about its holder."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def read(self) -> str:
        """Returns the note that the holder left, or an empty text."""
        return os.pread(self._fd, 4096, 0).decode()

    def close(self) -> None:
        """Gives the lock up."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
