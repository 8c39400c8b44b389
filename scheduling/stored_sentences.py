"""Sentences that were stored with what they tell of, said again in the language of whoever reads them.

Whoever ends an instance cannot know who will read why, so what is stored is English: the texts of the code, filled
in. Here the text is found that a stored sentence was made from, and its translation is filled in with the same
values. What is not from a text of ours, such as what an exception says, stays as it is.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from django.utils.translation import get_language, to_locale
from django.utils.translation.trans_real import translation

from scheduling.domain.errors import gettext_noop as _n

#: Sentences that the code writes in English, puts together from parts, or has in a plural, which catalogues know by
#: their singular only. Whatever else is stored is a text that the code translates itself.
TEMPLATES = (
    _n("Stands for %(n)d missed tick since %(since)s, not caught up."),
    _n("Stands for %(n)d missed ticks since %(since)s, not caught up."),
    _n("Stands for at least %(n)d missed ticks since %(since)s, not caught up."),
    _n("Stands for %(n)d missed ticks since %(since)s."),
    _n("Stands for %(n)d ticks since %(since)s."),
    _n("Stands for at least %(n)d ticks since %(since)s."),
    _n("Stands for %(n)d ticks since %(since)s: %(why)s."),
    _n("Stands for at least %(n)d ticks since %(since)s: %(why)s."),
    _n("the schedule was edited before a scheduler had taken them up"),
    _n("the task was paused, and its schedule began anew before they were decided"),
    _n("The schedule was edited before a scheduler had taken this tick up."),
    _n("The task was paused, and its schedule began anew before this tick was decided."),
    _n("Blacked out by the calendar “%(calendar)s”."),
    _n("Blacked out by the calendar “%(calendar)s”: %(note)s."),
    _n("An earlier instance was unfinished."),
    _n("A newer instance of this task took its place while it waited."),
    _n("The newer instance %(id)s took its place."),
    _n("The worker went silent while it ran this."),
    _n("The worker did not end this at its time limit."),
    _n("The worker went silent while it ran this, as workers before it did; it is not tried again."),
    _n("The worker went silent while it ran this, and the task says not to run it again."),
    _n("The worker was stopped before this had ended."),
    _n("The task was deleted before this instance ran."),
    _n("Nothing held it any more; checkqueue ended it."),
    _n("Its place in the queue was missing; checkqueue ended it. Nobody knows how much of it was done."),
    _n("Its lease belonged to no running execution; checkqueue ended it."),
    _n("No installed handler is called “%(handler)s”. Install the plug-in that brings it, or edit the task."),
    _n("This worker has no handler called “%(handler)s”."),
    _n("There is no connection named %(name)s in the namespace %(namespace)s."),
    _n("%(function)s could not be imported: %(why)s"),
    _n("The work asked to be tried again."),
    _n("The work put itself off."),
    _n("The work did not end before its deadline and was stopped."),
    _n("The work was stopped because it was cancelled."),
    _n("The database could not store the result: %(why)s"),
    _n("The result is %(size)d bytes long as JSON; at most %(limit)d can be stored."),
    _n("The result is nested more than %(limit)d levels deep."),
    _n("The result contains %(value)s, which JSON cannot express."),
    _n("The result contains a value of type %(type)s, which JSON cannot express."),
    _n("The result has a key of type %(type)s; keys must be texts."),
    _n("The result contains the character U+0000, which cannot be stored."),
    _n("The result contains half of a surrogate pair, which is not a character."),
    _n("The result contains a number of more than %(limit)d digits."),
)

_PLACE = re.compile(r"%\((\w+)\)[-+ 0#]*[\d.]*([a-zA-Z])")
_PATTERNS = {"d": r"-?\d+", "f": r"[\d.]+", "g": r"[\d.e+-]+"}
#: Texts with less than this are words; somebody else may have said the same.
_SHORTEST = 10
#: What says the same in no more than so many letters is looked for by them.
_HEAD = 6


class _Template(NamedTuple):
    pattern: re.Pattern[str]
    translation: str


def retold(sentence: str) -> str:
    """Return a stored sentence, or several in a row, in the language that is active now."""
    language = get_language()
    if not sentence or language is None or language.split("-")[0] == "en":
        return sentence
    return _retold(sentence, to_locale(language))


def _retold(text: str, locale: str) -> str:
    by_head, headless = _templates(locale)
    for template in (*by_head.get(text[:_HEAD], ()), *headless):
        if found := template.pattern.match(text):
            values = {name: _retold(value, locale) for name, value in found.groupdict().items()}
            rest = text[found.end() :]
            space = rest[: len(rest) - len(rest.lstrip())]
            said: str = template.translation % values
            return said + space + (_retold(rest.lstrip(), locale) if rest.strip() else "")
    return text


@cache
def _templates(locale: str) -> tuple[dict[str, list[_Template]], list[_Template]]:
    """Return the texts of the catalogue that can be part of a stored sentence, those with most letters first."""
    by_head: dict[str, list[_Template]] = {}
    headless: list[_Template] = []
    catalogue = translation(locale.replace("_", "-").lower())._catalog  # type: ignore[attr-defined]  # as Django does
    # A text with a plural stands there by its singular and the number of the form.
    singular = ((key[0] if isinstance(key, tuple) else key, told) for key, told in catalogue.items())
    found = sorted((len(_PLACE.sub("", text)), text, told) for text, told in singular if " " in text)
    for letters, text, told in reversed(found):
        if letters < _SHORTEST or not told:
            continue
        template = _Template(re.compile(_pattern(text) + r"(?=\s|\Z)", re.DOTALL), _PLACE.sub(r"%(\1)s", told))
        if "%(" not in text:
            template = template._replace(translation=told.replace("%", "%%"))
        if "%(" in text[:_HEAD]:
            headless.append(template)
        else:
            by_head.setdefault(text[:_HEAD], []).append(template)
    return by_head, headless


def _pattern(text: str) -> str:
    pieces, end, names = [], 0, set()
    for place in _PLACE.finditer(text):
        pieces.append(re.escape(text[end : place.start()].replace("%%", "%")))
        name, kind = place.groups()
        pieces.append(f"(?P={name})" if name in names else f"(?P<{name}>{_PATTERNS.get(kind, '.+?')})")
        names.add(name)
        end = place.end()
    return "".join([*pieces, re.escape(text[end:].replace("%%", "%"))])
