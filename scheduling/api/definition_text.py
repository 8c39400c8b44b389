"""Definitions as the body of a request or an answer: YAML or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer

from accounts.api.bodies import read_body
from scheduling.services.definitions import Documents, as_yaml, read_text

#: Some ten thousand tasks.
MOST_BYTES = 8 * 1024 * 1024


class _DefinitionParser(BaseParser):
    as_json = False

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Documents]:
        """Return the ``documents`` of the body, with what could not be read; nothing is refused here but its size."""
        content = read_body(stream, most=MOST_BYTES)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ParseError(_("The body is not UTF-8 text.")) from None
        return {"documents": read_text(text, source=_("the body"), as_json=self.as_json)}


class JsonDefinitions(_DefinitionParser):
    """A definition, or a list of them."""

    media_type = "application/json"
    as_json = True


class YamlDefinitions(_DefinitionParser):
    """Definitions as YAML documents."""

    media_type = "application/yaml"


class OldYamlDefinitions(YamlDefinitions):
    """The name that YAML had before RFC 9512."""

    media_type = "application/x-yaml"


class TextYamlDefinitions(YamlDefinitions):
    """A name that it was given, too."""

    media_type = "text/yaml"


class YamlRenderer(BaseRenderer):
    """Writes a list of definitions as YAML documents."""

    media_type = "application/yaml"
    format = "yaml"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        """Return the text; what is no list of definitions is a problem, and one document."""
        if isinstance(data, list):
            return as_yaml(data)
        return as_yaml([json.loads(JSONRenderer().render(data))])
