"""A database that cannot be reached ends a command with one line, exit code 1 and no traceback."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import NotSupportedError, OperationalError

from config.database.errors import explain
from config.database.settings import database_config
from tests.config.support import ServerUser, manage

PASSWORD = "sesame-oil"
KEY = "only for this test; long enough to sign with, and not a secret"


def the_one_line(url: str, *arguments: str) -> str:
    ended = manage(*(arguments or ("migrate",)), DATABASE_URL=url, SECRET_KEY=KEY)
    assert ended.returncode == 1, ended
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert PASSWORD not in ended.stderr + ended.stdout
    return ended.stderr


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port where nobody listens, nor anybody else comes to meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are accepted by the kernel and never answered."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def web_server_port() -> Iterator[int]:
    """A port where something else than PostgreSQL answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


@pytest.mark.processes
def test_nothing_listens(free_port: int) -> None:
    line = the_one_line(f"postgresql://rota:{PASSWORD}@localhost:{free_port}/rota")
    assert f"localhost:{free_port}" in line
    assert "connection refused" in line


@pytest.mark.processes
def test_the_host_name_is_unknown() -> None:
    line = the_one_line(f"postgresql://rota:{PASSWORD}@nowhere.invalid/rota")
    assert "nowhere.invalid:5432" in line
    assert "host name is unknown" in line


@pytest.mark.processes
def test_nobody_answers(silent_port: int) -> None:
    line = the_one_line(f"postgresql://rota:{PASSWORD}@127.0.0.1:{silent_port}/rota?connect_timeout=2")
    assert "no answer within 2 seconds" in line


@pytest.mark.processes
def test_something_else_answers(web_server_port: int) -> None:
    line = the_one_line(f"postgresql://rota:{PASSWORD}@127.0.0.1:{web_server_port}/rota")
    assert "not PostgreSQL" in line


@pytest.mark.processes
def test_an_unknown_connection_option(free_port: int) -> None:
    line = the_one_line(f"postgresql://rota:{PASSWORD}@localhost:{free_port}/rota?colour=blue")
    assert 'invalid connection option "colour"' in line


@pytest.mark.processes
def test_a_wrong_password_and_an_unknown_database(home: Path, use_server: Callable[..., ServerUser]) -> None:
    server = use_server()
    server.ask("CREATE ROLE keeper LOGIN PASSWORD 'right'")
    access = home / "postgres" / "pg_hba.conf"
    access.write_text("local all keeper scram-sha-256\n" + access.read_text())
    sockets = quote(server.ask("SELECT pg_reload_conf()")["socket_dir"], safe="")

    line = the_one_line(f"postgresql://keeper:{PASSWORD}@/rota?host={sockets}")
    assert 'password authentication failed for user "keeper"' in line
    line = the_one_line(f"postgresql://postgres@/elsewhere?host={sockets}")
    assert 'database "elsewhere" does not exist' in line


@pytest.mark.processes
@pytest.mark.parametrize(
    "arguments",
    [("migrate", "--check"), ("showmigrations",), ("flush", "--no-input"), ("runserver", "0", "--noreload")],
)
def test_every_command_that_asks_the_database_ends_the_same_way(free_port: int, arguments: tuple[str, ...]) -> None:
    assert "connection refused" in the_one_line(f"postgresql://rota@localhost:{free_port}/rota", *arguments)


@pytest.mark.processes
def test_the_reloader_of_the_web_server_ends_too_instead_of_waiting_for_the_code_to_change(
    free_port: int,
) -> None:
    url = f"postgresql://rota@localhost:{free_port}/rota"
    ended = manage("runserver", "0", DATABASE_URL=url, SECRET_KEY=KEY)
    assert ended.returncode == 1
    assert "connection refused" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.processes
def test_the_traceback_is_there_for_whoever_asks(free_port: int) -> None:
    ended = manage(
        "migrate", "--traceback", DATABASE_URL=f"postgresql://rota@localhost:{free_port}/rota", SECRET_KEY=KEY
    )
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr


@pytest.mark.processes
@pytest.mark.parametrize(
    "url",
    [f"mysql://rota:{PASSWORD}@localhost/rota", f"postgresql://rota:{PASSWORD}@localhost:port/rota"],
    ids=["another product", "a port that is no number"],
)
def test_an_address_that_is_refused_ends_a_command_in_the_same_way(url: str) -> None:
    assert "DATABASE_URL" in the_one_line(url, "migrate", "--settings=config.settings")


@pytest.mark.processes
def test_debug_off_without_a_secret_key_ends_a_command_in_the_same_way(home: Path) -> None:
    ended = manage("check", DEBUG="0", ROTA_HOME=str(home))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "SECRET_KEY" in ended.stderr


def test_a_server_that_is_too_old_is_explained(tmp_path: Path) -> None:
    settings = database_config("postgresql://rota@localhost/rota", tmp_path)
    exc = NotSupportedError("PostgreSQL 14 or later is required (found 13.4).")
    assert explain(exc, settings) == (
        'PostgreSQL at localhost:5432 (database "rota", user "rota") cannot be used: '
        "PostgreSQL 14 or later is required (found 13.4)."
    )


def test_an_error_of_a_statement_is_left_to_its_traceback(tmp_path: Path) -> None:
    settings = database_config("postgresql://rota@localhost/rota", tmp_path)
    assert explain(OperationalError("deadlock detected"), settings) is None
    assert explain(ValueError("a bug"), settings) is None
