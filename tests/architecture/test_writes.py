"""Who may write a state, and what the hot statements may not do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps

from tests.architecture.sources import APPS, ROOT, name_of, outside_engines

pytestmark = pytest.mark.unit

#: The models whose state belongs to the engine.
HOT_MODELS = {"TaskInstance", "QueueEntry", "Execution", "LogChunk"}
WRITES = re.compile(
    r"(?:UPDATE|INSERT\s+INTO|DELETE\s+FROM|COPY)\s+rota_(?:instance|queue_entry|execution|log_chunk)\b"
)
ORM_WRITES = {"update", "create", "get_or_create", "update_or_create", "bulk_create", "bulk_update"}


def other_models() -> set[str]:
    """The names of the models that may have a state of their own."""
    return {
        model.__name__ for app in APPS if app != "config" for model in apps.get_app_config(app).get_models()
    } - HOT_MODELS


def root_of(node: ast.expr) -> str:
    """The name with which a chain of attributes and calls begins: `Node` in `Node.objects.filter().update()`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        else:
            return ""
    return node.id


def state_writes(source: str) -> list[int]:
    """The lines that write an outcome, or the state of anything but a model that is known to be another one."""
    allowed = other_models()
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ORM_WRITES:
            written = {keyword.arg for keyword in node.keywords}
            root = root_of(node.func)
            if "outcome" in written or ("state" in written and root not in allowed) or root in HOT_MODELS:
                lines.append(node.lineno)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            lines += [t.lineno for t in targets if isinstance(t, ast.Attribute) and t.attr == "outcome"]
    return lines


@pytest.mark.parametrize("path", list(outside_engines()), ids=name_of)
def test_only_the_engine_writes_an_outcome_or_a_queue_state(path: Path) -> None:
    source = path.read_text()
    assert state_writes(source) == []
    assert WRITES.findall(source) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("TaskInstance.objects.filter(pk=1).update(outcome='failed')", True),
        ("queryset.update(state=2)", True),
        ("QueueEntry.objects.create(instance_id=1)", True),
        ("instance.outcome = 'failed'", True),
        ("Node.objects.filter(pk=1).update(state='draining')", False),
        ("QueueEntry.objects.filter(state=2).values('task_id')", False),
    ],
)
def test_the_rule_itself_tells_a_write_from_a_read(source: str, found: bool) -> None:
    assert bool(state_writes(source)) is found


def engine_files() -> list[Path]:
    """The verbs and their SQL."""
    return [
        path for app in APPS for path in sorted((ROOT / app / "engine").rglob("*")) if path.suffix in {".py", ".sql"}
    ]


@pytest.mark.parametrize("path", engine_files(), ids=name_of)
def test_no_verb_sends_a_notification_in_its_transaction(path: Path) -> None:
    assert re.search(r"pg_notify|\bNOTIFY\b", path.read_text()) is None
