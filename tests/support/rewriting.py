"""The processes of pytest-xdist share the work that comes before the first test.

Each of them imports every test, and pytest rewrites the assertions of each module for that, which takes longer than
all the rest of the import. Here each first imports a part, and finds the parts of the others done.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection(session: pytest.Session) -> None:
    """Import this process's part, when all tests are run and others run beside it."""
    ours = getattr(session.config, "workerinput", None)
    if ours is None or [Path(each).resolve() for each in session.config.args] != [ROOT / "tests"]:
        return
    number = int(ours["workerid"].removeprefix("gw"))
    modules = sorted(path.relative_to(ROOT).with_suffix("") for path in (ROOT / "tests").rglob("test_*.py"))
    # Without what is written the others would have to do it again.
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        for path in modules[number :: ours["workercount"]]:
            # What goes wrong goes wrong again when it is collected, and is told then.
            with suppress(Exception, pytest.skip.Exception):
                importlib.import_module(".".join(path.parts))
    finally:
        sys.dont_write_bytecode = kept
