"""Runs one of PostgreSQL's programs to its end."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ProgramError(Exception):
    """A program ended with an error; the text is what it printed."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server: the caller, or for root another user, for PostgreSQL refuses to run as root."""

    name: str | None = None

    def owns(self) -> tuple[int, int]:
        """Returns the account's user and group id; KeyError when the user does not exist."""
        if self.name is None:
            return os.geteuid(), os.getegid()
        import pwd

        entry = pwd.getpwnam(self.name)
        return entry.pw_uid, entry.pw_gid


def run(program: Path, *arguments: str, account: Account) -> str:
    """Returns what the program printed to both streams; raises ProgramError or OSError.

    It runs in a session of its own, so that Ctrl-C in the terminal reaches neither it nor a server that it
    starts. When Ctrl-C interrupts the wait, the program is given the time to end all the same: a server that
    is half started could be neither used nor stopped.
    """
    identity: dict[str, Any] = {}
    if account.name is not None:
        uid, gid = account.owns()
        identity = {"user": uid, "group": gid, "extra_groups": []}
    # A file, because a pipe would stay open for as long as the server that inherits it.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",  # another account may not be allowed to look at ours
            start_new_session=True,
            **identity,
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise
        output.seek(0)
        text = output.read().decode(errors="replace").strip()
    if code != 0:
        raise ProgramError(text or f"{program.name} ended with code {code}")
    return text
