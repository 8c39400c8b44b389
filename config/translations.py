"""Catalogues of translations: what the code says, gathered, and laid beside what has been translated.

Needs Babel, which is a tool of development; a server reads the compiled catalogues (`*.mo`), which are committed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

#: Where texts of ours are.
FOLDERS = ("accounts", "config", "scheduling", "workers", "templates")

#: Packages whose pages we show and that bring no catalogue of their own.
FOREIGN = ("unfold",)

#: Packages that bring one, and whose translation therefore holds for the same text of ours or of `FOREIGN`.
TRANSLATED_BY_THEMSELVES = ("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes")

_NAMES = ("gettext", "gettext_lazy", "gettext_noop", "_", "_n", "_lazy", "stored")
_PLURAL_NAMES = ("ngettext", "ngettext_lazy")
#: The functions whose arguments are texts, as Babel wants to know them.
KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(_NAMES),
    **dict.fromkeys(_PLURAL_NAMES, (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}

_PLACE = re.compile(r"%\((\w+)\)[-+ 0#]*[\d.]*[a-zA-Z]|\{(\w*)\}")
_WIDTH = 120


@dataclass(frozen=True)
class Source:
    """One kind of text: which files say it, and which catalogue holds its translations."""

    #: Django's name of the catalogue: `django` for what the server says, `djangojs` for scripts in the browser.
    domain: str
    suffixes: tuple[str, ...]


SOURCES = (Source("django", (".py", ".html", ".txt")), Source("djangojs", (".js",)))


@dataclass
class Gaps:
    """What is wrong with one catalogue, each text once; empty lists when nothing is."""

    untranslated: list[str] = field(default_factory=list)
    fuzzy: list[str] = field(default_factory=list)
    #: The places for values (`%(name)s`) in text and translation differ.
    misfit: list[str] = field(default_factory=list)
    #: No code says this any more.
    unused: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any((self.untranslated, self.fuzzy, self.misfit, self.unused))

    def lines(self) -> Iterator[str]:
        """Yield one line for each gap."""
        for kind, texts in vars(self).items():
            yield from (f"{kind}: {text}" for text in texts)


def catalogue_path(language: str, domain: str) -> Path:
    """Return the file of the translations into ``language``, for people to edit."""
    return Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / f"{domain}.po"


def languages() -> list[str]:
    """Return the languages that need a catalogue: all but the one that the code is written in."""
    return [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def gather(source: Source) -> Catalog:
    """Return every text that the code marks for translation, with the files it is in."""
    found = Catalog(domain=source.domain)
    base = Path(settings.BASE_DIR)
    for folder in FOLDERS:
        for path in sorted((base / folder).rglob("*")):
            if path.suffix in source.suffixes and "migrations" not in path.parts:
                _gather_file(found, path, str(path.relative_to(base)))
    for package in FOREIGN:
        if source.domain == "django":
            _gather_foreign(found, package)
    return found


def update(language: str, source: Source) -> Catalog:
    """Bring one catalogue up to date with the code, compile it, and return it.

    New texts are added without a translation, and those that no code says any more are dropped.
    """
    path = catalogue_path(language, source.domain)
    catalogue, gathered = read_catalogue(path, language), gather(source)
    if not len(gathered):
        return catalogue
    catalogue.update(gathered, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=_WIDTH, sort_by_file=True, include_lineno=False, include_previous=False)
    # As it is in the file: what is compiled never says more than what people can read.
    catalogue = read_catalogue(path, language)
    path.with_suffix(".mo").write_bytes(compiled(catalogue))
    return catalogue


def read_catalogue(path: Path, language: str) -> Catalog:
    """Return the catalogue in ``path``; an empty one when there is none yet."""
    if not path.exists():
        return Catalog(locale=to_locale(language), domain=path.stem, project="Rota", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=to_locale(language), domain=path.stem)


def compiled(catalogue: Catalog) -> bytes:
    """Return the catalogue in the form that is read at run time."""
    buffer = BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def gaps(catalogue: Catalog, gathered: Catalog) -> Gaps:
    """Return what keeps ``catalogue`` from being complete and right for the texts in ``gathered``."""
    result = Gaps()
    wanted = {(message.context, message.id) for message in gathered if message.id}
    for message in gathered:
        if not message.id:
            continue
        known = catalogue.get(message.id, message.context)
        if known is None or not all(_forms(known.string)):
            result.untranslated.append(_singular(message))
        elif known.fuzzy:
            result.fuzzy.append(_singular(message))
        elif not _fits(known):
            result.misfit.append(_singular(message))
    result.unused += [
        _singular(message) for message in catalogue if message.id and (message.context, message.id) not in wanted
    ]
    return result


def _gather_file(found: Catalog, path: Path, name: str) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for message, context in _marked(text):
            found.add(message, locations=[(name, 0)], context=context)
        return
    method = "javascript" if path.suffix == ".js" else "python"
    if path.suffix in {".html", ".txt"}:
        # Django makes Python of a template as far as GNU gettext cares; Babel also minds indentation.
        text = " ".join(templatize(text, origin=name).splitlines())
    for _line, message, comments, context in extract(
        method, BytesIO(text.encode()), keywords=KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True
    ):
        found.add(message, locations=[(name, 0)], auto_comments=comments, context=context)


def _marked(code: str) -> Iterator[tuple[Any, str | None]]:
    """Yield the texts, with their contexts, that a module of Python gives to the functions of gettext.

    Babel itself reads tokens, and does not look into f-strings before Python 3.12.
    """
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in KEYWORDS or not node.args:
            continue
        first, second, third = (*map(_texts, node.args[:3]), (), ())[:3]
        if name in _NAMES:
            yield from ((text, None) for text in first)
        elif name in _PLURAL_NAMES:
            yield from ((pair, None) for pair in zip(first, second, strict=True))
        elif name.startswith("np"):
            yield from ((pair, context) for context in first for pair in zip(second, third, strict=True))
        else:
            yield from ((text, context) for context in first for text in second)


def _texts(node: ast.expr) -> tuple[str, ...]:
    """Return what an argument can be, as far as it is written out."""
    match node:
        case ast.Constant(value=str() as text):
            return (text,)
        case ast.IfExp(body=body, orelse=other):
            return _texts(body) + _texts(other)
    return ()


def _gather_foreign(found: Catalog, package: str) -> None:
    """Add what ``package`` says and Django itself has no translation for."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None  # noqa: PT018, S101 - it is one of our requirements
    folder = Path(spec.origin).parent
    theirs = Catalog(domain=found.domain)
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".html"} and path.relative_to(folder).parts[0] != "contrib":
            _gather_file(theirs, path, f"{package}/{path.relative_to(folder)}")
    known = _translated_by_themselves()
    for message in theirs:
        if message.id and message.id not in found and message.id not in known:
            found.add(message.id, locations=[(package, 0)], context=message.context)


def _translated_by_themselves() -> frozenset[Any]:
    folders = [Path(find_spec(name).origin).parent for name in TRANSLATED_BY_THEMSELVES]  # type: ignore[union-attr, arg-type]  # installed apps
    folders.append(folders[0].parents[1] / "conf")
    known: set[Any] = set()
    for folder in folders:
        for language in languages():
            path = folder / "locale" / to_locale(language) / "LC_MESSAGES" / "django.po"
            if path.exists():
                known |= {message.id for message in read_catalogue(path, language) if all(_forms(message.string))}
    return frozenset(known)


def _fits(message: Message) -> bool:
    """Tell whether each form of the translation has the places of the text, and no other."""
    allowed = [_places(text) for text in _forms(message.id)]
    return all(_places(text) in allowed for text in _forms(message.string))


def _places(text: str) -> frozenset[str]:
    return frozenset(match.group() for match in _PLACE.finditer(text))


def _forms(text: Any) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, list | tuple) else (text,)


def _singular(message: Message) -> str:
    return _forms(message.id)[0]


def all_gaps() -> Mapping[Path, Gaps]:
    """Return what is wrong with each committed catalogue."""
    found: dict[Path, Gaps] = {}
    for source in SOURCES:
        gathered = gather(source)
        for language in languages():
            path = catalogue_path(language, source.domain)
            if path.exists() or len(gathered):
                found[path] = gaps(read_catalogue(path, language), gathered)
    return found
