"""Nothing inline, so that a strict content security policy stays possible."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.sources import APPS, ROOT, app_modules, name_of

pytestmark = pytest.mark.unit

TEMPLATES = sorted(path for place in ("templates", *APPS) for path in (ROOT / place).rglob("*.html"))
STATIC = sorted(path for app in APPS for path in (ROOT / app).rglob("static/**/*") if path.suffix in {".js", ".svg"})
#: A script with a body, unless it is data; a style element or attribute; a handler in an attribute.
INLINE = re.compile(
    r"""<script(?![^>]*\bsrc=)(?![^>]*type="application/json")[^>]*>|<style\b|<[a-z][^<>]*\s(?:style|on[a-z]+)\s*=|javascript:""",
    re.IGNORECASE,
)


def test_there_is_something_to_look_at() -> None:
    assert TEMPLATES
    assert STATIC


@pytest.mark.parametrize("path", [*TEMPLATES, *STATIC, *app_modules()], ids=name_of)
def test_no_page_holds_an_inline_script_or_style(path: Path) -> None:
    assert INLINE.findall(path.read_text()) == []


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<script>alert(1)</script>", True),
        ('<p class="a" style="color: red">', True),
        ('<a onclick="go()">', True),
        ('<script src="{% static "a.js" %}" defer></script>', False),
        ('<script type="application/json">{}</script>', False),
        ('<p class="style">style=</p>', False),
    ],
)
def test_the_rule_itself_tells_inline_from_linked(html: str, found: bool) -> None:
    assert bool(INLINE.findall(html)) is found
