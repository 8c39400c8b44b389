"""Whole numbers as people and programs type them into addresses and forms, whatever they typed."""

from __future__ import annotations

#: The largest value of PostgreSQL's integer and bigint: no id lies beyond.
BIGGEST_INTEGER = 2**31 - 1
BIGGEST_BIGINT = 2**63 - 1


def whole_number(text: str, *, most: int = BIGGEST_BIGINT) -> int | None:
    """Return the number that ``text`` writes in plain digits; None for anything else, and for one above ``most``.

    It is safe for any text: Python refuses to read more than 4300 digits, and the database those beyond its types.
    """
    if not (text.isascii() and text.isdecimal()) or len(text.lstrip("0")) > len(str(most)):
        return None
    number = int(text.lstrip("0") or "0")
    return number if number <= most else None


def number_up_to(text: str, most: int) -> int | None:
    """Return the same, and ``most`` for a larger number; None for what is none."""
    if not (text.isascii() and text.isdecimal()):
        return None
    number = whole_number(text, most=most)
    return most if number is None else number
