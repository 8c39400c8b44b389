"""Warming up: a web process has ready what every page needs before it takes the first request.

Django finds addresses, translations and templates when they are first asked for. Together that is most of a second,
and whoever looked first after a start would wait for it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.backends.django import DjangoTemplates
from django.template.utils import get_app_template_dirs
from django.urls import get_resolver, reverse
from django.utils import timezone, translation
from django.utils.formats import date_format

from config.api_schema import schema_in
from scheduling.runtime.garbage import leave_startup_out_of_collections

#: Packages whose templates pages are made of; others bring templates that nothing here shows.
_OF_PAGES = ("unfold", "django/contrib/admin")


def warm_up() -> None:
    """Load all addresses, each language, the templates of pages and the API's description.

    The collector leaves them alone from then on.

    The database is not asked, and may be away.
    """
    # Importing what the addresses lead to imports nearly everything.
    _ = get_resolver().url_patterns
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            reverse("admin:index")
            date_format(timezone.now())
    _load_templates()
    schema_in(settings.LANGUAGE_CODE, None)
    leave_startup_out_of_collections()


def _load_templates() -> None:
    engine = engines["django"]
    assert isinstance(engine, DjangoTemplates)  # noqa: S101 - settings.TEMPLATES names no other
    theirs = (Path(each) for each in get_app_template_dirs("templates") if any(one in str(each) for one in _OF_PAGES))
    # The loader remembers what it has compiled.
    for root in (Path(settings.BASE_DIR, "templates"), *theirs):
        for file in root.rglob("*.html"):
            # Some of theirs are for packages that are not installed; no page includes them.
            with suppress(TemplateDoesNotExist, TemplateSyntaxError):
                engine.get_template(file.relative_to(root).as_posix())
