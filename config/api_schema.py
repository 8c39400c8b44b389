"""The API's description, made once for each language of a process: it is the same for everybody, and costs 0.2 s."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView


@lru_cache(maxsize=len(settings.LANGUAGES) + 1)
def schema_in(language: str, version: str | None) -> dict[str, Any]:
    """Return the description in ``language``, as `SpectacularAPIView` shows it to somebody who has not logged in."""
    with translation.override(language):
        made: Any = SchemaGenerator(api_version=version)  # type: ignore[no-untyped-call]  # drf-spectacular has no types
        found: dict[str, Any] = made.get_schema(request=None, public=True)
        return found


class _Remembered(SchemaGenerator):
    """Takes what has been made already, in the language of the request."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        """Return the description."""
        return schema_in(translation.get_language(), self.api_version)


class SchemaView(SpectacularAPIView):
    """Shows the description, which does not depend on who asks."""

    generator_class = _Remembered
