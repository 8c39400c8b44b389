"""What the repository must not tell, and what its lock files must."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, name_of, repository_files

pytestmark = pytest.mark.unit

# Written with groups, so that this file does not break its own rule.
REGISTRIES = re.compile(
    r"(?:py)(?:pi\.org)|(?:python)(?:hosted)|--(?:extra-)?(?:index)-url|(?:npm)(?:js)\.|--(?:find)-links"
)
#: Paths of somebody's machine. A few names are nobody's and stand for all.
MACHINES = re.compile(r"(?<![\w.~])/(?:wor[k]|roo[t]|User[s])/|(?<![\w.~])/hom[e]/(?!rota\b|somebody\b)")

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def texts() -> list[tuple[str, str]]:
    """The name and the text of every text file of the repository."""
    found = []
    for path in repository_files():
        try:
            found.append((name_of(path), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # a picture
    return found


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINES], ids=["registries", "machines"])
def test_the_repository_names_no_package_registry_and_no_path_of_a_machine(pattern: re.Pattern[str]) -> None:
    files = texts()
    assert len(files) > 100
    assert [(name, match[0]) for name, text in files for match in pattern.finditer(text)] == []


@pytest.mark.parametrize("path", LOCKS, ids=name_of)
def test_a_lock_file_pins_every_package_with_its_hashes(path: Path) -> None:
    entries = re.sub(r"\\\n", " ", path.read_text()).splitlines()
    packages = [entry for entry in entries if entry.strip() and not entry.lstrip().startswith("#")]
    assert packages
    pinned = re.compile(r"[\w.\[\],-]+==\S+(?: ; [^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in packages if not pinned.fullmatch(entry.strip())] == []
