"""How a request's JSON is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser

from accounts.api.bodies import read_body

#: Far deeper than anything that somebody means, far from where Python or PostgreSQL give up.
DEEPEST = 100


class StorableJSONParser(JSONParser):
    """Reads JSON that PostgreSQL can store as it is.

    JSON allows more than `jsonb` and `text` do: the character NUL, halves of surrogate pairs, and numbers beyond
    every float. Each is refused with the name of its field, so that no statement fails on it later.
    """

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Return the parsed body.

        Raises BodyTooLarge beyond DATA_UPLOAD_MAX_MEMORY_SIZE, which Django applies to what it reads itself; ParseError
        for what is not JSON, ValidationError by field.
        """
        content = BytesIO(read_body(stream, most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
        try:
            data = super().parse(content, media_type, parser_context)
        except RecursionError:
            raise ParseError(_("The JSON is nested too deep.")) from None
        problems: dict[str, list[str]] = {}
        for field, message in _unstorable(data):
            problems.setdefault(field, [message])
        if problems:
            raise ValidationError(problems)
        return data


def _unstorable(data: Any) -> Iterator[tuple[str, str]]:
    """Yield what cannot be stored: the top-level field, and a sentence."""
    pending: list[tuple[str, int, Any]] = [("non_field_errors", 0, data)]
    while pending:
        field, depth, value = pending.pop()
        if isinstance(value, str):
            if problem := _text_problem(value):
                yield field, problem
        elif isinstance(value, float) and not math.isfinite(value):
            yield field, _("This number is too large.")
        elif isinstance(value, dict | list):
            if depth >= DEEPEST:
                yield field, _("This is nested too deep.")
                continue
            items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
            for key, item in items:
                if key is not None and (problem := _text_problem(key)):
                    yield field, problem
                    continue
                pending.append((key if depth == 0 and key is not None else field, depth + 1, item))


def _text_problem(text: str) -> str | None:
    if "\0" in text:
        return _("Null characters are not allowed.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return _("This text has half of a surrogate pair, which is no character.")
    return None
