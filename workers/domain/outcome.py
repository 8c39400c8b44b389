"""How an execution can end, and which results can be kept."""

import json
import math
from dataclasses import dataclass
from typing import Any

#: The longest result that is stored, in bytes of UTF-8.
MAX_RESULT_BYTES = 1024 * 1024
#: The deepest nesting of lists and objects that is stored; PostgreSQL's own limit depends on its stack.
MAX_RESULT_DEPTH = 100
#: The most digits a number may have: a little less than what Python converts to text (4300).
MAX_RESULT_DIGITS = 4000


@dataclass(frozen=True)
class Succeeded:
    """The work was done. ``result`` is what the handler returned."""

    result: Any = None


@dataclass(frozen=True)
class Failed:
    """The work was not done. ``reason`` is a word for machines, ``message`` a sentence for people."""

    reason: str
    message: str
    result: Any = None
    #: False when another attempt cannot end otherwise.
    retryable: bool = True


@dataclass(frozen=True)
class TimedOut:
    """The work did not end before its deadline and was stopped."""

    message: str


@dataclass(frozen=True)
class Cancelled:
    """Somebody asked for the work to end, and it did."""

    message: str


Outcome = Succeeded | Failed | TimedOut | Cancelled


class UnstorableResult(ValueError):
    """A result that PostgreSQL's ``jsonb`` cannot keep.

    ``reason`` is ``result_not_json``, ``result_too_large`` or ``result_has_nul``. ``message`` is an English
    template and ``params`` fills it, so that whoever shows it can translate it first.
    """

    def __init__(self, reason: str, message: str, **params: object) -> None:
        """Remember why, as a word and as a sentence."""
        super().__init__(message % params)
        self.reason = reason
        self.message = message
        self.params = params


def checked_result(value: object) -> str:
    """Return a result as the JSON text to store: compact, UTF-8 safe, at most MAX_RESULT_BYTES long.

    Raises UnstorableResult for what JSON has no form for (also NaN and infinities, which only look like
    JSON), for U+0000 and lone surrogates in texts and keys (PostgreSQL manual, section 8.14), and for what is
    too large or too deep.
    """
    _check(value, 0)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    size = len(text.encode())
    if size > MAX_RESULT_BYTES:
        raise UnstorableResult(
            "result_too_large",
            "The result is %(size)d bytes long as JSON; at most %(limit)d can be stored.",
            size=size,
            limit=MAX_RESULT_BYTES,
        )
    return text


def _check(value: object, depth: int) -> None:
    if depth > MAX_RESULT_DEPTH:
        raise UnstorableResult(
            "result_not_json", "The result is nested more than %(limit)d levels deep.", limit=MAX_RESULT_DEPTH
        )
    match value:
        case None | bool():
            pass
        case str():
            _check_text(value)
        case int():
            _check_integer(value)
        case float():
            if not math.isfinite(value):
                raise UnstorableResult(
                    "result_not_json",
                    "The result contains %(value)s, which JSON cannot express.",
                    value=value,
                )
        case list() | tuple():
            for item in value:
                _check(item, depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise UnstorableResult(
                        "result_not_json",
                        "The result has a key of type %(type)s; keys must be texts.",
                        type=type(key).__name__,
                    )
                _check_text(key)
                _check(item, depth + 1)
        case _:
            raise UnstorableResult(
                "result_not_json",
                "The result contains a value of type %(type)s, which JSON cannot express.",
                type=type(value).__name__,
            )


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise UnstorableResult("result_has_nul", "The result contains the character U+0000, which cannot be stored.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnstorableResult(
            "result_not_json", "The result contains half of a surrogate pair, which is not a character."
        ) from None


def _check_integer(number: int) -> None:
    # Counted from the bits, because converting a huge number is what Python refuses.
    if number.bit_length() * math.log10(2) > MAX_RESULT_DIGITS:
        raise UnstorableResult(
            "result_not_json",
            "The result contains a number of more than %(limit)d digits.",
            limit=MAX_RESULT_DIGITS,
        )
