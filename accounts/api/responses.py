"""What the API's documentation says about answers that are the same everywhere."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

#: One shape: `detail` holds a sentence about the request as a whole; every other key names a field.
PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "additionalProperties": {
        "description": "A list of sentences, or, inside params, an object of the same shape.",
    },
}


def problem(description: str, *examples: OpenApiExample) -> OpenApiResponse:
    """Return the documentation of an answer that tells what is wrong."""
    return OpenApiResponse(PROBLEM, description=description, examples=list(examples))


INVALID = problem(
    "A field is wrong; nothing was stored.",
    OpenApiExample(
        "A field", value={"cron_expression": ["The hour field cannot be “25”; it takes 0–23, lists, ranges and steps."]}
    ),
    OpenApiExample("Inside params", value={"params": {"url": ["Field required"]}}),
)
FORBIDDEN = problem(
    "You may see it, but not do this.",
    OpenApiExample("Forbidden", value={"detail": "You may not do this in this namespace."}),
)
MISSING = problem(
    "It does not exist, or you may not see it.", OpenApiExample("Missing", value={"detail": "Not found."})
)
UNAUTHENTICATED = problem(
    "No valid token.",
    OpenApiExample("No token", value={"detail": "Authentication credentials were not provided."}),
)
