"""Registering and finding functions."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.handlers import example_tasks
from workers import functions
from workers.functions import TaskDiscoveryError, TaskFunctionError, autodiscover, registered_functions, task


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_functions", dict(functions._functions))


def test_a_function_is_registered_under_its_module_and_stays_callable() -> None:
    registered = registered_functions()[f"{example_tasks.__name__}.add"]

    assert registered.function is example_tasks.add
    assert registered.isolation == "thread"
    assert example_tasks.add(1, 2) == 3


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("shop_tasks", "broken_tasks"):
        sys.modules.pop(name, None)


SHOP = "from workers.functions import task\n@task\ndef sell(count: int) -> int:\n    return count\n"


def test_a_module_may_be_imported_again(modules: Path) -> None:
    (modules / "shop_tasks.py").write_text(SHOP)
    first = importlib.import_module("shop_tasks")
    function = first.sell

    again = importlib.reload(first)

    assert again.sell is not function
    assert registered_functions()["shop_tasks.sell"].function is again.sell


def test_a_name_belongs_to_one_function() -> None:
    @task(name="shop.close")
    def close_shop() -> None:
        """Nothing."""

    with pytest.raises(TaskFunctionError, match=r"registered as 'shop\.close': .*close_shop and .*shut_shop"):

        @task(name="shop.close")
        def shut_shop() -> None:
            """Nothing."""


def test_functions_that_keywords_cannot_call_are_refused() -> None:
    def positional(a: int, /) -> None:
        """Nothing."""

    async def coroutine() -> None:
        """Nothing."""

    def generator() -> Any:
        yield 1

    def local() -> None:
        """Nothing."""

    for function, part in (
        (positional, "positional-only"),
        (coroutine, "coroutine"),
        (generator, "generator"),
        (len, "plain function"),
    ):
        with pytest.raises(TaskFunctionError, match=part):
            task(name="x.y")(function)
    with pytest.raises(TaskFunctionError, match="another process cannot find it"):
        task(isolation="process")(local)
    with pytest.raises(TaskFunctionError, match="'thread' or 'process'"):
        task(name="x.y", isolation="fiber")(local)  # type: ignore[call-overload]  # what the test is about


def test_an_annotation_that_cannot_be_resolved_does_not_take_the_others_with_it() -> None:
    def work(a: int, b: "Unheard") -> None:  # type: ignore[name-defined]  # noqa: F821 - what the test is about
        """Nothing."""

    task(name="x.work")(work)
    values, errors = registered_functions()["x.work"].arguments({"a": "1", "b": "anything"})

    assert values == {"a": 1, "b": "anything"}
    assert errors == []


def test_modules_named_in_the_settings_are_searched(modules: Path, settings: Settings) -> None:
    (modules / "shop_tasks.py").write_text(SHOP)
    settings.WORKERS = {"TASK_MODULES": ["shop_tasks"]}

    autodiscover()

    assert "shop_tasks.sell" in registered_functions()


@pytest.mark.parametrize("source", ["import no_such_module_here", "1/0", None])
def test_a_module_that_cannot_be_imported_is_named(modules: Path, settings: Settings, source: str | None) -> None:
    if source is not None:
        (modules / "broken_tasks.py").write_text(source)
    settings.WORKERS = {"TASK_MODULES": ["broken_tasks"]}

    with pytest.raises(TaskDiscoveryError, match="The tasks in broken_tasks could not be imported"):
        autodiscover()
