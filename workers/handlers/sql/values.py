"""Database values as JSON can express them."""

import datetime
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def to_json(value: object) -> Any:
    """Return a column's value for a result.

    Dates and times in ISO 8601; decimals as text, so that no digit is lost; bytes as hexadecimal; arrays and
    JSON as they are; whatever else as its text.
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            # What MySQL and SQLite may hold, and PostgreSQL cannot store.
            return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return str(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case Mapping():
            return {to_json(str(key)): to_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_json(item) for item in value]
        case _:
            return to_json(str(value))
