"""The documentation leads somewhere, and is complete where completeness can be checked."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from scheduling.conf import SchedulingConf
from tests.architecture.sources import ROOT, app_modules, name_of

pytestmark = pytest.mark.unit

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "requirements").glob("*.md")),
]
LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)\"""")
OPERATE = (ROOT / "docs" / "operate.md").read_text()


def prose(page: Path) -> str:
    """A page without its code, in which brackets mean something else."""
    return re.sub(r"`[^`\n]+`", "", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as its readers' programs make them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in (a or b for a, b in LINK.findall(prose(page))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def environment_variables() -> set[str]:
    """The names that the code asks config/env.py for."""
    found = set()
    for path in [*app_modules(), ROOT / "manage.py"]:
        text = path.read_text()
        if "env_" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("env_"):
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    found.add(str(name.value))
    return found


def worker_settings() -> set[str]:
    """The keys of WORKERS that the code reads."""
    read = re.compile(r"""(?:WORKERS(?:", \{\}\))?|given)\.get\(\s*"([A-Z_]+)\"""")
    return {key for path in app_modules() if "workers" in path.parts for key in read.findall(path.read_text())}


def test_the_code_is_asked_for_what_it_reads() -> None:
    assert {"DATABASE_URL", "ROTA_HOME", "ROTA_SECRET_", "DEBUG"} <= environment_variables()
    assert {"LEASE_SECONDS", "SHELL_ENV", "HANDLERS", "HTTP_ALLOW_LINK_LOCAL", "SECRETS"} <= worker_settings()


@pytest.mark.parametrize("name", sorted(environment_variables()))
def test_every_environment_variable_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}[`…]", OPERATE, re.MULTILINE)


@pytest.mark.parametrize("key", sorted(worker_settings() | {field.name for field in fields(SchedulingConf)}))
def test_every_setting_is_documented(key: str) -> None:
    assert re.search(rf"^\| `{key}` \|", OPERATE, re.MULTILINE)
