"""How much of a request's body is read: whoever sends it has often shown no more than a name."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import status
from rest_framework.exceptions import APIException


class BodyTooLarge(APIException):
    """The body has more bytes than are read (RFC 9110, section 15.5.14)."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = gettext_lazy("The body is too large.")
    default_code = "too_large"


def read_body(stream: Any, *, most: int | None) -> bytes:
    """Return what ``stream`` holds, at most ``most`` bytes; None: however much. Raises BodyTooLarge."""
    content: bytes = stream.read() if most is None else stream.read(most + 1)
    if most is not None and len(content) > most:
        raise too_large(most)
    return content


def too_large(most: int | None) -> BodyTooLarge:
    """Return the refusal that names how many bytes are read."""
    return BodyTooLarge(None if most is None else _("The body is larger than %(bytes)d bytes.") % {"bytes": most})
