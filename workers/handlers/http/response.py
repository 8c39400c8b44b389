"""What is kept of a response."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import requests

from workers.domain.outcome import UnstorableResult, checked_result

_CHUNK_BYTES = 16 * 1024
_HEADER_BYTES = 8 * 1024
_HEADER_VALUE_CHARACTERS = 1024
#: What a response sets up for later requests is nobody's business in a result that others may read.
_HIDDEN_HEADERS = frozenset({"set-cookie", "set-cookie2"})


@dataclass
class Body:
    """The beginning of a response's body, and how long the whole was, in bytes after decompression."""

    kept: bytes
    length: int

    @property
    def truncated(self) -> bool:
        """Whether there was more."""
        return self.length > len(self.kept)


def read_body(response: requests.Response, limit: int, check: Callable[[], None]) -> Body:
    """Read a streamed response to its end and keep the first ``limit`` bytes.

    It is read to the end because a server may do its work while it answers. ``check`` is called after every
    chunk and ends the reading by raising.
    """
    kept = bytearray()
    length = 0
    for chunk in response.iter_content(_CHUNK_BYTES):
        check()
        length += len(chunk)
        kept += chunk[: max(0, limit - len(kept))]
    check()
    return Body(bytes(kept), length)


def result_of(response: requests.Response, body: Body, elapsed_seconds: float) -> dict[str, Any]:
    """Return the response as a result that can be stored, whatever the server sent.

    Shape: ``status``, ``headers``, ``json`` (for a whole JSON body) or ``body`` (text), ``truncated``,
    ``elapsed_seconds``, ``url`` (the last one, after redirects).
    """
    result: dict[str, Any] = {
        "status": response.status_code,
        "headers": _headers(response),
        "truncated": body.truncated,
        "elapsed_seconds": round(elapsed_seconds, 3),
        "url": response.url,
    }
    if "json" in response.headers.get("Content-Type", "").lower() and not body.truncated and body.kept:
        try:
            value = json.loads(body.kept, parse_constant=_refuse_constant)
            checked_result(result | {"json": value})
        except (ValueError, RecursionError):  # UnstorableResult is a ValueError; such JSON is kept as text
            pass
        else:
            return result | {"json": value}
    text = _text(response, body.kept)
    while True:
        result["body"] = text
        try:
            checked_result(result)
        except UnstorableResult:
            # Control characters take six bytes each in JSON, so a body within its limit may be too long as a
            # result.
            text, result["truncated"] = text[: len(text) // 2], True
        else:
            return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _text(response: requests.Response, body: bytes) -> str:
    encoding = requests.utils.get_encoding_from_headers(response.headers)
    # Since RFC 7231 text has no default encoding any more; requests still says Latin-1, today's servers mean
    # UTF-8.
    if encoding is None or "charset" not in response.headers.get("Content-Type", "").lower():
        encoding = "utf-8"
    try:
        text = body.decode(encoding, "replace")
    except (LookupError, UnicodeError):
        text = body.decode("utf-8", "replace")
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _headers(response: requests.Response) -> dict[str, str]:
    kept: dict[str, str] = {}
    room = _HEADER_BYTES
    for name, value in response.headers.items():
        if name.lower() in _HIDDEN_HEADERS:
            continue
        short = value[:_HEADER_VALUE_CHARACTERS].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        room -= len(name.encode()) + len(short.encode())
        if room < 0:
            break
        kept[name] = short
    return kept
