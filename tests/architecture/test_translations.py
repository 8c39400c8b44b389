"""Whatever the code says to people is translated, and what is compiled is what was translated."""

from __future__ import annotations

from functools import cache

import pytest
from babel.messages.catalog import Catalog
from django.conf import settings
from django.utils import translation

from config import translations
from config.translations import SOURCES, Source, catalogue_path, compiled, gaps, languages, read_catalogue

pytestmark = pytest.mark.unit

gather = cache(translations.gather)

EACH = [(language, source) for language in languages() for source in SOURCES]
IDS = [f"{language}-{source.domain}" for language, source in EACH]
HOW = "run `make messages`, translate what it lists in the .po file, and run it again"


def test_the_rule_looks_at_something() -> None:
    found = gather(SOURCES[0])
    assert languages() == ["zh-hans"]
    for text in (
        "Overview",  # a module of Python
        "What to do first",  # a template
        "The last day lies before the first.",  # marked in the domain, and translated by whoever shows it
        "Addresses end with a slash: %(path)s/",  # inside an f-string
        "Type to search",  # a package that brings no translation
    ):
        assert text in found, text
    assert ("%(n)d node goes on.", "%(n)d nodes go on.") in {message.id for message in found}


@pytest.mark.parametrize(("language", "source"), EACH, ids=IDS)
def test_every_text_is_translated_and_says_the_same_values(language: str, source: Source) -> None:
    found = gaps(read_catalogue(catalogue_path(language, source.domain), language), gather(source))
    assert not found, "\n".join([HOW, *found.lines()])


@pytest.mark.parametrize(("language", "source"), EACH, ids=IDS)
def test_the_compiled_catalogue_is_that_of_the_translations(language: str, source: Source) -> None:
    path = catalogue_path(language, source.domain)
    if not path.exists():
        assert not len(gather(source)), HOW
        return
    assert path.with_suffix(".mo").read_bytes() == compiled(read_catalogue(path, language)), HOW


def test_gaps_are_noticed() -> None:
    wanted, known = Catalog(), Catalog(locale="zh_Hans")
    for text in ("new", "doubtful", "%(n)d of %(most)d", "empty", "fine %(n)d"):
        wanted.add(text)
    wanted.add(("%(n)d task", "%(n)d tasks"))
    known.add("doubtful", "可疑", flags=["fuzzy"])
    known.add("%(n)d of %(most)d", "第 %(n)d 个")
    known.add("empty", "")
    known.add("fine %(n)d", "好 %(n)d")
    known.add("gone", "没了")
    known.add(("%(n)d task", "%(n)d tasks"), ("%(x)d 个任务",))
    found = gaps(known, wanted)
    assert found.untranslated == ["new", "empty"]
    assert found.fuzzy == ["doubtful"]
    assert found.misfit == ["%(n)d of %(most)d", "%(n)d task"]
    assert found.unused == ["gone"]


def test_chinese_pages_use_what_django_translates_itself() -> None:
    with translation.override("zh-hans"):
        assert translation.gettext("Log in") == "登录"
        assert translation.gettext("Are you sure?") == "你确定吗？"
    assert [code for code, _name in settings.LANGUAGES] == ["en", "zh-hans"]
