"""Pages by cursor: no count, no offset, and no row twice or left out while others are written."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination, _positive_int
from rest_framework.request import Request

from accounts.whole_numbers import whole_number

_NOT_A_CURSOR = object()


class UniqueCursorPagination(CursorPagination):
    """Pages along one unique column; `next` and `previous` are complete addresses."""

    page_size = 100
    max_page_size = 500
    page_size_query_param = "page_size"
    ordering: Any = "-id"

    def get_page_size(self, request: Request) -> int | None:
        """Return how many rows make a page. Raises ValidationError for what is no number from 1."""
        given = request.query_params.get("page_size")
        if given is None:
            return self.page_size
        try:
            return _positive_int(given, strict=True, cutoff=self.max_page_size)
        except ValueError:
            raise ValidationError({"page_size": [_("Give a whole number from 1.")]}) from None

    def decode_cursor(self, request: Request) -> Any:
        """Return the position to go on from. Raises ValidationError for a cursor that no page gave out."""
        try:
            cursor: Any = super().decode_cursor(request)
        except NotFound:
            cursor = _NOT_A_CURSOR
        if cursor is _NOT_A_CURSOR or (cursor is not None and not self._is_position(cursor.position)):
            raise ValidationError({"cursor": [_("This is not a cursor; follow `next` or `previous` as they are.")]})
        return cursor

    def _is_position(self, position: str | None) -> bool:
        return position is None or whole_number(position) is not None


class NewestFirst(UniqueCursorPagination):
    """The newest row first."""


class OldestFirst(UniqueCursorPagination):
    """In order of creation, which no renaming disturbs."""

    ordering = "id"


class ByName(UniqueCursorPagination):
    """In order of a name that is unique."""

    ordering = "name"

    def _is_position(self, position: str | None) -> bool:
        return position is None or "\0" not in position
