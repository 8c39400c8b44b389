"""The repository's own files, as the tests of its rules read them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("accounts", "scheduling", "workers", "config")


def repository_files() -> list[Path]:
    """Every file that is in the repository or would be added to it."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for path in (ROOT / name for name in listed.split("\0") if name) if path.is_file()]


def app_modules() -> Iterator[Path]:
    """Every Python module of our apps, migrations left out."""
    for app in APPS:
        yield from (path for path in sorted((ROOT / app).rglob("*.py")) if "migrations" not in path.parts)


def outside_engines() -> Iterator[Path]:
    """The modules that may not write the hot tables; benchmarks may, in the scratch database that is theirs alone."""
    yield from (path for path in app_modules() if "engine" not in path.parts and "benchmarks" not in path.parts)


def name_of(path: Path) -> str:
    """The path as a person would write it."""
    return str(path.relative_to(ROOT))
