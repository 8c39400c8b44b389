"""What was stored in English is read in the reader's language, with the values that it was stored with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import translation

from scheduling.domain.calendars import Blackout, Rule, RuleKind
from scheduling.domain.misfire import MISSED_COUNT_CAP, FirePlan
from scheduling.stored_sentences import retold

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
#: Modules whose sentences are stored with what happened.
STORING = [
    *(ROOT / "scheduling" / "engine").glob("*.py"),
    *(ROOT / "workers" / "engine").glob("*.py"),
    ROOT / "workers" / "domain" / "outcome.py",
    ROOT / "workers" / "handlers" / "errors.py",
    ROOT / "workers" / "runtime" / "runner.py",
    ROOT / "workers" / "runtime" / "attempts.py",
]


def in_chinese(sentence: str) -> str:
    with translation.override("zh-hans"):
        return retold(sentence)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("Cancelled by ada.", "由 ada 取消。"),
        ("Cancelled by ada. wrong month", "由 ada 取消。 wrong month"),
        ("Cancelled by the system.", "由 系统 取消。"),
        ("The command ended with exit code 3.", "命令以退出码 3 结束。"),
        ("The process of shop.f ended with exit code -9.", "shop.f 的进程以退出码 -9结束。"),
        ("https://x.example/ answered 503, expected 200-299.", "https://x.example/ 返回 503，期望 200-299。"),
        ("The newer instance 17 took its place.", "更新的实例 17 取代了它。"),
        ("ValueError: 100% of The command", "ValueError: 100% of The command"),
        ("ready", "ready"),
        ("", ""),
    ],
)
def test_the_text_is_found_again_and_what_others_said_stays(stored: str, read: str) -> None:
    assert in_chinese(stored) == read


def test_an_english_reader_reads_what_was_stored() -> None:
    with translation.override("en"):
        assert retold("Cancelled by ada.") == "Cancelled by ada."


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("count", [1, 7, MISSED_COUNT_CAP])
@pytest.mark.parametrize("note", [None, "", "holiday"])
def test_every_sentence_about_missed_ticks_is_known(runs: bool, count: int, note: str | None) -> None:
    rule = Rule(kind=RuleKind.WEEKDAYS, weekdays=(1,), note=note or "")
    blackout = None if note is None else Blackout(calendar="plant", rule=rule)
    plan = FirePlan(
        fire_for=SINCE, runs=runs, missed_count=count, missed_since=SINCE, next_run_at=None, blackout=blackout
    )
    said = in_chinese(plan.message)
    for word in ("Stands", "Blacked", "caught", "since", "ticks"):
        assert word not in said, said


def test_whatever_engines_and_workers_store_has_a_translation() -> None:
    found = [sentence for path in STORING for sentence in sentences_in(path)]
    assert len(found) > 15
    unknown = [sentence for sentence in found if in_chinese(sentence) == sentence]
    assert not unknown, f"name these in scheduling/stored_sentences.py: {unknown}"


def sentences_in(path: Path) -> Iterator[str]:
    """Yield the string literals of a module that are sentences with a full stop, f-strings filled with words."""
    tree = ast.parse(path.read_text())
    skipped = {id(node) for each in ast.walk(tree) for node in _not_stored(each)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in skipped or id(node) in inner:
            continue
        text = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = re.sub(r"%(\(\w+\))?[sdg]", "7", node.value)
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
        if re.fullmatch(r"[A-Z][^\n]* [^\n]*\.", text):
            yield text


def _not_stored(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, the texts of programming errors, and log lines."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        name = getattr(node.exc.func, "id", "")
        if name in {"ValueError", "TypeError", "RuntimeError"}:
            yield from ast.walk(node)
