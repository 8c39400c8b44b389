"""The secret key is given, or kept in a file that only its owner reads, or its absence refused."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.secret_key import secret_key
from tests.config.support import ROOT, environment

ASK = """
import sys
from pathlib import Path
from config.secret_key import secret_key
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
sys.stdout.write(secret_key(debug=True, embedded=True, home=Path(sys.argv[1])))
"""


@pytest.fixture(autouse=True)
def _no_key_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.delenv("SECRET_KEY_FILE", raising=False)


def test_a_given_key_wins_and_nothing_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "given")
    assert secret_key(debug=True, embedded=True, home=home) == "given"
    assert secret_key(debug=False, embedded=False, home=home) == "given"
    assert not home.exists()


def test_a_key_may_be_given_as_a_file(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    assert secret_key(debug=False, embedded=False, home=home) == "from a file"


def test_a_generated_key_is_long_private_and_the_same_next_time(home: Path) -> None:
    key = secret_key(debug=True, embedded=True, home=home)
    assert len(key) >= 50
    assert [path.name for path in home.iterdir()] == ["secret_key"]
    assert (home / "secret_key").stat().st_mode & 0o777 == 0o600
    assert secret_key(debug=True, embedded=True, home=home) == key


def test_a_key_that_others_could_read_is_made_private_again(home: Path) -> None:
    secret_key(debug=True, embedded=True, home=home)
    (home / "secret_key").chmod(0o644)
    secret_key(debug=True, embedded=True, home=home)
    assert (home / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.processes
def test_processes_that_start_at_once_agree_on_the_key(home: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, str(home)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    keys = {process.communicate()[0] for process in processes}
    assert len(keys) == 1
    assert len(keys.pop()) >= 50


@pytest.mark.parametrize("embedded", [True, False])
def test_debug_off_without_a_key_refuses_to_start(home: Path, embedded: bool) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        secret_key(debug=False, embedded=embedded, home=home)
    assert not home.exists()


def test_a_server_of_ones_own_without_a_key_refuses_to_start(home: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        secret_key(debug=True, embedded=False, home=home)


def test_an_empty_key_file_is_refused_with_what_to_do(home: Path) -> None:
    home.mkdir()
    (home / "secret_key").write_text("")
    with pytest.raises(ImproperlyConfigured, match="remove it"):
        secret_key(debug=True, embedded=True, home=home)


def test_a_place_that_cannot_hold_a_key_is_refused_with_what_to_do(home: Path) -> None:
    home.write_text("a file, where a directory is needed")
    with pytest.raises(ImproperlyConfigured, match="ROTA_HOME"):
        secret_key(debug=True, embedded=True, home=home)
