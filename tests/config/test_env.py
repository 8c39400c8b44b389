"""The environment is read strictly: a value is understood or refused by name."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import env_bool, env_int, env_list, env_path, env_secret, env_str

Set = Callable[[str], None]
NAME = "ROTA_TEST_VARIABLE"


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets the variable of these tests."""
    monkeypatch.delenv(NAME, raising=False)
    return lambda text: monkeypatch.setenv(NAME, text)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_what_is_empty_or_not_set_is_the_default(put: Set, text: str | None) -> None:
    if text is not None:
        put(text)
    assert env_str(NAME, "default") == "default"
    assert env_bool(NAME, True) is True
    assert env_int(NAME, 7) == 7
    assert env_list(NAME, ["a"]) == ["a"]
    assert env_path(NAME, Path("/a")) == Path("/a")
    assert env_secret(NAME) is None


@pytest.mark.parametrize(("text", "value"), [("1", True), ("True", True), ("on", True), ("0", False), ("NO", False)])
def test_booleans_are_read_in_any_case(put: Set, text: str, value: bool) -> None:
    put(text)
    assert env_bool(NAME, not value) is value


def test_a_boolean_that_is_none_is_refused_with_what_is_allowed(put: Set) -> None:
    put("maybe")
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be one of 1, true.*'maybe'"):
        env_bool(NAME, True)


def test_numbers_are_whole_and_within_their_bounds(put: Set) -> None:
    put("8")
    assert env_int(NAME, 1, minimum=8, maximum=8) == 8
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be 9 or more, not 8"):
        env_int(NAME, 1, minimum=9)
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be 7 or less, not 8"):
        env_int(NAME, 1, maximum=7)
    put("8.5")
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be a whole number"):
        env_int(NAME, 1)


def test_lists_are_separated_by_commas_and_trimmed(put: Set) -> None:
    put(" a, b ,,c ")
    assert env_list(NAME, []) == ["a", "b", "c"]


def test_paths_are_absolute(put: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    put("data")
    assert env_path(NAME, Path("/a")) == tmp_path / "data"
    put("~/data")
    assert env_path(NAME, Path("/a")) == Path("/home/somebody/data")


def test_a_secret_may_be_in_a_file(put: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text("sesame\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(file))
    assert env_secret(NAME) == "sesame"
    put("oil")
    with pytest.raises(ImproperlyConfigured, match="not both"):
        env_secret(NAME)


@pytest.mark.usefixtures("put")
def test_a_secret_file_that_is_missing_or_empty_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    monkeypatch.setenv(f"{NAME}_FILE", str(file))
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}_FILE.*No such file"):
        env_secret(NAME)
    file.write_text("\n")
    with pytest.raises(ImproperlyConfigured, match="is empty"):
        env_secret(NAME)
