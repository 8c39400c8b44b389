"""Finding handlers, among them one from a package that is installed apart."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from scheduling.domain.handlers import HandlerAlreadyRegisteredError, HandlerCatalogue, catalogue
from workers.handlers.base import Handler, HandlerContext, HandlerParams
from workers.handlers.http import HttpHandler
from workers.handlers.registry import HandlerRegistrationError, load_handlers, register_with_scheduling
from workers.handlers.shell import ShellHandler

PLUG_IN = """
from pydantic import Field
from workers.handlers.base import Handler, HandlerContext, HandlerParams


class EchoParams(HandlerParams):
    text: str = Field(title="What to say")


class EchoHandler(Handler[EchoParams]):
    name = "echo"
    label = "Echo"
    Params = EchoParams

    def run(self, context: HandlerContext, params: EchoParams) -> str:
        context.logger.info("saying it")
        return params.text.upper()
"""

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "rota-echo"
version = "1.0"

[project.entry-points."rota.handlers"]
echo = "rota_echo:{attribute}"

[tool.setuptools]
py-modules = ["rota_echo"]
"""

PROGRAM = """
import json
import sys
from datetime import UTC, datetime

import django

django.setup()
from scheduling.domain.handlers import catalogue
from workers.handlers.base import HandlerContext
from workers.handlers.registry import load_handlers

handler = load_handlers()["echo"]
lines = []
context = HandlerContext(
    namespace="default", task_name="t", instance_id=1, execution_id=2, attempt=1, idempotency_key="k",
    scheduled_for=datetime.now(UTC), sink=lambda stream, text: lines.append([stream, text]),
)
json.dump(
    {
        "result": handler.run(context, handler.parse({"text": "hello"})),
        "errors": [str(error) for error in catalogue.get("echo").check_params({"txt": "hello"})],
        "names": catalogue.names(),
        "log": lines,
    },
    sys.stdout,
)
"""


class GoodParams(HandlerParams):
    n: int = 1


class GoodHandler(Handler[GoodParams]):
    name = "good"
    label = "Good"
    Params = GoodParams

    def run(self, context: HandlerContext, params: GoodParams) -> int:
        return params.n


class AnotherHttpHandler(GoodHandler):
    name = "http"


class BadlyNamedHandler(GoodHandler):
    name = "Not A Word"


class LaxParams(HandlerParams, extra="ignore"):
    n: int = 1


class LaxHandler(Handler[LaxParams]):
    name = "lax"
    label = "Lax"
    Params = LaxParams

    def run(self, context: HandlerContext, params: LaxParams) -> int:
        return params.n


class BrokenHandler(GoodHandler):
    def __init__(self) -> None:
        raise RuntimeError("no licence")


class NoHandler:
    name = "nothing"


@pytest.fixture(autouse=True)
def _reload() -> Iterator[None]:
    load_handlers.cache_clear()
    yield
    load_handlers.cache_clear()


def install(tmp_path: Path, attribute: str = "EchoHandler") -> Path:
    """Build the plug-in and install it into a directory of its own, with nothing from the network."""
    source, target = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    (source / "rota_echo.py").write_text(PLUG_IN)
    (source / "pyproject.toml").write_text(PROJECT.format(attribute=attribute))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-build-isolation", "--no-deps", "--no-index", "--target", str(target), str(source)),
        ],
        check=True,
        capture_output=True,
    )
    return target


def in_new_process(target: Path, program: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([str(target), *(entry for entry in sys.path if entry)])
    return subprocess.run(
        ["/usr/bin/env", f"PYTHONPATH={path}", sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.processes
def test_a_handler_of_a_separately_installed_package_is_found_and_runs(tmp_path: Path) -> None:
    ended = in_new_process(install(tmp_path), PROGRAM)

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "result": "HELLO",
        "errors": ["params.text: Field required", "params.txt: There is no such field"],
        "names": ["echo", "http", "python", "shell", "sql"],
        "log": [["log", "INFO saying it\n"]],
    }


@pytest.mark.processes
def test_a_broken_plug_in_is_refused_at_start_up_and_named(tmp_path: Path) -> None:
    ended = in_new_process(install(tmp_path, "Misspelt"), "import django; django.setup()")

    assert ended.returncode != 0
    last_line = ended.stderr.strip().splitlines()[-1]
    assert "HandlerRegistrationError: The handler rota_echo:Misspelt" in last_line
    assert "(entry point 'echo' of rota-echo)" in last_line


def test_the_built_in_handlers_are_there() -> None:
    assert {"http", "shell", "sql", "python"} <= set(load_handlers())


def test_scheduling_knows_every_handler_without_importing_workers() -> None:
    for name, handler in load_handlers().items():
        spec = catalogue.get(name)
        assert spec is not None
        assert type(spec) is type(handler)


def test_a_handler_can_be_named_in_the_settings(settings: Settings) -> None:
    settings.WORKERS = {"HANDLERS": [f"{__name__}.GoodHandler"]}

    assert isinstance(load_handlers()["good"], GoodHandler)


def test_the_same_handler_named_twice_is_one(settings: Settings) -> None:
    settings.WORKERS = {"HANDLERS": ["workers.handlers.http.HttpHandler"]}

    assert isinstance(load_handlers()["http"], HttpHandler)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_package.Handler", "no_such_package.Handler .* could not be loaded: ModuleNotFoundError"),
        (f"{__name__}.Missing", "Missing .* could not be loaded: ImportError"),
        (
            f"{__name__}.AnotherHttpHandler",
            "Two handlers are named 'http': .*HttpHandler and .*AnotherHttpHandler",
        ),
        (f"{__name__}.BadlyNamedHandler", "is named 'Not A Word'"),
        (f"{__name__}.LaxHandler", "LaxHandler .* must forbid extra fields"),
        (f"{__name__}.BrokenHandler", "BrokenHandler .* could not be loaded: RuntimeError: no licence"),
        (f"{__name__}.NoHandler", "NoHandler .* is not a handler"),
    ],
)
def test_a_handler_that_cannot_be_used_is_refused_and_named(settings: Settings, path: str, message: str) -> None:
    settings.WORKERS = {"HANDLERS": [path]}

    with pytest.raises(HandlerRegistrationError, match=message):
        load_handlers()


def test_registering_with_scheduling_twice_changes_nothing() -> None:
    before = catalogue.names()
    handlers = dict(load_handlers())
    fresh = HandlerCatalogue()
    for handler in handlers.values():
        fresh.register(handler)
        fresh.register(handler)

    assert fresh.names() == sorted(handlers)
    assert catalogue.names() == before


def test_a_name_belongs_to_one_handler() -> None:
    fresh = HandlerCatalogue()
    fresh.register(HttpHandler())

    with pytest.raises(HandlerAlreadyRegisteredError, match="'http' is already registered"):
        fresh.register(HttpHandler())


def test_the_shell_has_to_be_asked_for() -> None:
    enabled = {name for name, handler in load_handlers().items() if handler.enabled_by_default}

    assert ShellHandler.name not in enabled
    assert {"http", "sql", "python"} <= enabled


def test_every_schema_is_plain_json_with_titles() -> None:
    for handler in load_handlers().values():
        schema: dict[str, Any] = json.loads(json.dumps(handler.params_schema()))
        assert schema["additionalProperties"] is False
        assert all(isinstance(field["title"], str) for field in schema["properties"].values())
        assert isinstance(handler.label, str)


def test_a_clash_with_another_catalogue_entry_is_a_registration_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load_handlers.cache_clear()  # new objects, so that the catalogue's are others
    with pytest.raises(HandlerRegistrationError, match="already registered"):
        register_with_scheduling()
