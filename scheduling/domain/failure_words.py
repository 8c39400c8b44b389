"""How a task spells kinds of failure in `retry_on` and `give_up_on`; what they match is `retry`'s business."""

from __future__ import annotations

import re

from scheduling.domain.errors import InvalidField
from scheduling.domain.errors import gettext_noop as _n

#: More words than this are a typing error.
MOST_WORDS = 100

_STATUS_CLASS = re.compile(r"[1-5]xx")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}")
#: Exit codes are 0 to 255, HTTP statuses 100 to 599.
_LARGEST = 599


def check_failure_words(field: str, words: list[str]) -> None:
    """Raise InvalidField for ``field`` when one of ``words`` names no kind of failure.

    A word is an exit code (0–255), an HTTP status (100–599) or a class of them (``5xx``), a reason
    (``timed_out``), or the name of an exception, dotted or not (``ValueError``, ``shop.errors.Busy``).
    """
    if len(words) > MOST_WORDS:
        raise InvalidField(field, _n("Give at most %(most)d words."), {"most": MOST_WORDS})
    seen: set[str] = set()
    for word in words:
        if not _is_failure_word(word):
            raise InvalidField(
                field,
                _n(
                    "“%(word)s” names no kind of failure. Give an exit code (0–255), an HTTP status (503, 5xx), "
                    "a reason such as timed_out, or the name of an exception such as ValueError."
                ),
                {"word": word},
            )
        if word in seen:
            raise InvalidField(field, _n("“%(word)s” stands here twice."), {"word": word})
        seen.add(word)


def _is_failure_word(word: str) -> bool:
    if word[:1].isdigit():
        return bool(_STATUS_CLASS.fullmatch(word) or (_NUMBER.fullmatch(word) and int(word) <= _LARGEST))
    return all(part.isidentifier() and part.isascii() for part in word.split("."))
