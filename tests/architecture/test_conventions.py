"""Small rules that keep the code base one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from tests.architecture.sources import APPS, ROOT, app_modules, name_of

pytestmark = pytest.mark.unit

VAGUE = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}

COMMANDS = [path for app in APPS for path in sorted((ROOT / app / "management" / "commands").glob("[a-z]*.py"))]
MODELS = [model for app in APPS for model in apps.get_app_config(app).get_models()]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.stem)
def test_every_command_of_ours_is_run_by_some_test(command: Path) -> None:
    here = Path(__file__).parent
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.parent != here]
    quoted = re.compile(rf"""["']{command.stem}["']""")
    assert any(quoted.search(path.read_text()) for path in tests)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_has_a_name_for_people(model: type[models.Model]) -> None:
    assert model.__str__ is not models.Model.__str__


@pytest.mark.parametrize("path", list(app_modules()), ids=name_of)
def test_a_module_is_named_after_its_one_idea(path: Path) -> None:
    assert path.stem not in VAGUE
    assert path.parent.name not in VAGUE
