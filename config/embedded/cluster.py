"""Makes the data directory, starts the server in it and stops it again.

Each of these is called under the lock that keeps the other processes away; see membership.
"""

import hashlib
import os
import shlex
import shutil
import stat
import tempfile
import time
from pathlib import Path

from config.embedded.commands import Account, ProgramError, run
from config.embedded.installation import Installation, allow_search
from config.embedded.postmaster import (
    Postmaster,
    read_postmaster,
    remove_misleading_files,
    running_postmaster,
)

SUPERUSER = "postgres"
PORT = 5432
LOG_NAME = "server.log"
_START_SECONDS = 60
_STOP_SECONDS = 30
_PAUSE_SECONDS = 0.05
# sockaddr_un.sun_path holds 104 bytes on macOS and 108 on Linux, with the zero at its end.
_SOCKET_PATH_BYTES = 103
_SOCKET_DIR_PREFIX = "rota-"

_SETTINGS = f"""
# Rota's settings of its embedded server, appended once, when this directory was made.
# Change what you like; later lines win.
listen_addresses = ''           # a socket in the file system only, no network
port = {PORT}                     # a part of the socket's name; PGPORT in the environment must not change it
unix_socket_permissions = 0700  # connections are trusted, so only the owner may open one
max_connections = 200
shared_buffers = 128MB
"""


def create_data_directory(data: Path, installation: Installation) -> None:
    """Makes `data` with an empty database system, unless it is there; raises ProgramError or OSError.

    It is made under another name and renamed when complete: initdb writes PG_VERSION early, and a process
    killed in the middle of it must not leave something that looks finished.
    """
    account = installation.account
    if (data / "PG_VERSION").exists():
        return
    if data.exists() and any(data.iterdir()):
        raise ProgramError(f"{data} is neither empty nor a PostgreSQL data directory; move it away")
    draft = data.with_name(f"{data.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if account.name is not None:
        os.chown(draft, *account.owns())
        allow_search(draft)
    run(
        installation.program("initdb"),
        f"--pgdata={draft}",
        f"--username={SUPERUSER}",
        "--auth=trust",  # the socket's directory is its owner's alone
        "--encoding=UTF8",
        # Sorts and compares alike on every machine, and needs no locale of the operating system.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        account=account,
    )
    with (draft / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(_SETTINGS)
    draft.rename(data)


def start_server(data: Path, installation: Installation) -> Postmaster:
    """Returns the server in `data` once it accepts connections; starts it unless one runs.

    A server of a crashed predecessor is kept. Raises ProgramError with the end of the server's log.
    """
    if installation.account.name is not None:
        allow_search(data)  # the data may have been moved since it was made
    deadline = time.monotonic() + _START_SECONDS
    while True:
        postmaster = running_postmaster(data)
        if postmaster is not None and postmaster.ready:
            return postmaster
        late = time.monotonic() > deadline
        if postmaster is None:
            failure = _try_start(data, installation)
            # When only the parent of the server's processes was killed, its children need a moment to notice.
            if failure is not None and (late or "shared memory block" not in failure):
                raise ProgramError(failure)
            if failure is None and not late:
                continue
        # Otherwise somebody was killed while it started or stopped; either ends by itself.
        if late:
            raise ProgramError(f"the server in {data} does not become ready; see {data / LOG_NAME}")
        time.sleep(_PAUSE_SECONDS)


def stop_server(data: Path, pg_ctl: Path, account: Account) -> None:
    """Stops the server in `data`, if one runs, and returns when it has ended; raises ProgramError.

    Open transactions are rolled back. What takes longer than 30 s is cut short, and is made good at the next
    start as after a crash.
    """
    if running_postmaster(data) is None:
        return
    socket_dir = _recorded_socket_dir(data)
    arguments = ("stop", f"--pgdata={data}", "--wait", f"--timeout={_STOP_SECONDS}", "--silent")
    try:
        run(pg_ctl, *arguments, "--mode=fast", account=account)
    except ProgramError:
        if running_postmaster(data) is not None:
            run(pg_ctl, *arguments, "--mode=immediate", account=account)
    if socket_dir is not None and socket_dir.name.startswith(_SOCKET_DIR_PREFIX):
        shutil.rmtree(socket_dir, ignore_errors=True)


def _try_start(data: Path, installation: Installation) -> str | None:
    """Returns None when the server runs, else the reason."""
    log = data / LOG_NAME
    before = log.stat().st_size if log.exists() else 0
    socket_dir = _socket_dir(data, installation.account)
    remove_misleading_files(data, socket_dir)
    try:
        run(
            installation.program("pg_ctl"),
            "start",
            f"--pgdata={data}",
            f"--log={log}",
            "--wait",
            f"--timeout={_START_SECONDS}",
            "--silent",
            "--options=-k " + shlex.quote(str(socket_dir)),
            account=installation.account,
        )
    except ProgramError as exc:
        return _end_of_log(log, before) or str(exc)
    return None


def _end_of_log(log: Path, start: int) -> str:
    """Returns the last lines that were written after byte `start`, as one line."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return " / ".join(line.strip() for line in lines[-5:])


def _recorded_socket_dir(data: Path) -> Path | None:
    postmaster = read_postmaster(data)
    return postmaster.socket_dir if postmaster is not None else None


def _socket_dir(data: Path, account: Account) -> Path:
    """Returns the data directory, or one in the directory for temporary files when its path is unfit."""
    if _fits(data):
        return data
    # The inode number keeps a server apart from one that still runs in a removed directory of this name.
    digest = hashlib.sha256(f"{data}\0{data.stat().st_ino}".encode()).hexdigest()[:16]
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - checked by _private_directory
        path = parent.resolve() / f"{_SOCKET_DIR_PREFIX}{digest}"
        if _fits(path):
            return _private_directory(path, account)
    raise ProgramError("no directory for temporary files has a path short enough for a socket")


def _fits(directory: Path) -> bool:
    """Length is the kernel's limit; a comma or a quote would be read as a list, by libpq and by postgres."""
    path = os.fsencode(directory / f".s.PGSQL.{PORT}")
    return len(path) <= _SOCKET_PATH_BYTES and not set(b",\"'\\") & set(path)


def _private_directory(path: Path, account: Account) -> Path:
    """Makes `path` for the account alone, in a place where anybody may have made it before."""
    owner, group = account.owns()
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if not private or found.st_uid not in (owner, os.geteuid()):
            raise ProgramError(f"{path} belongs to somebody else; remove it") from None
    if path.lstat().st_uid != owner:
        os.chown(path, owner, group, follow_symlinks=False)
    return path
