"""The answer of the endpoints that preview a trigger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.response import Response

from scheduling.api.preview_serializers import PreviewSerializer
from scheduling.api.problems import invalid_field
from scheduling.domain.errors import InvalidField
from scheduling.models import Calendar, Task
from scheduling.services.preview import preview_task


def preview_answer(task: Task, asked: Mapping[str, Any], *, calendars: Iterable[Calendar] | None = None) -> Response:
    """Return the preview of ``task``, saved or not; raises the API's error with the field that is wrong."""
    try:
        shown = preview_task(task, calendars=calendars, **asked)
    except InvalidField as error:
        raise invalid_field(error) from error
    body = {
        "timezone": shown.timezone,
        "viewer_timezone": shown.viewer_timezone,
        "words": shown.words,
        "fires": [
            {
                "at": fire.at,
                "local": fire.local.isoformat(),
                "viewer": None if fire.viewer is None else fire.viewer.isoformat(),
                "marks": fire.marks,
                "notes": fire.notes,
            }
            for fire in shown.fires
        ],
        "left_out": [local.isoformat() for local in shown.left_out],
        "fires_per_day": shown.fires_per_day,
        "notes": shown.notes,
    }
    return Response(PreviewSerializer(body).data)
