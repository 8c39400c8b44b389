"""What the API's documentation says about tasks, apart from the code that does it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from accounts.api.responses import FORBIDDEN, INVALID, MISSING, UNAUTHENTICATED, problem
from scheduling.api.instance_serializers import InstanceDetailSerializer
from scheduling.api.preview_serializers import PreviewQuerySerializer, PreviewSerializer, TriggerSerializer
from scheduling.api.task_serializers import (
    RunSerializer,
    TaskSerializer,
)

_NIGHTLY = OpenApiExample(
    "An HTTP call each night",
    request_only=True,
    value={
        "name": "nightly report",
        "handler": "http",
        "params": {"method": "POST", "url": "https://reports.example/run", "json": {"kind": "daily"}},
        "trigger": "cron",
        "cron_expression": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "max_attempts": 3,
    },
)

_TAKEN = OpenApiExample("A name that is taken", value={"name": ["A task with this name exists in this namespace."]})

#: For each method of the view set.
TASK_VIEWS: dict[str, Any] = {
    "list": extend_schema(
        operation_id="list_tasks",
        summary="List tasks",
        description="Oldest first.",
        responses={200: TaskSerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED},
    ),
    "retrieve": extend_schema(
        operation_id="get_task",
        summary="Show a task",
        responses={200: TaskSerializer, 401: UNAUTHENTICATED, 404: MISSING},
    ),
    "create": extend_schema(
        operation_id="create_task",
        summary="Create a task",
        description="Schedulers plan it as soon as it is stored. Needs the role administrator in the namespace.",
        examples=[_NIGHTLY],
        responses={
            201: TaskSerializer,
            400: problem("A field is wrong; nothing was stored.", _TAKEN, *INVALID.examples),
            401: UNAUTHENTICATED,
            403: FORBIDDEN,
        },
    ),
    "update": extend_schema(
        operation_id="replace_task",
        summary="Replace a task's definition",
        description=(
            "What is left out gets its default, except `namespace` and `enabled`, which stay as they are. "
            "Instances that were fired before run by the version that they were fired with."
        ),
        examples=[_NIGHTLY],
        responses={200: TaskSerializer, 400: INVALID, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
    ),
    "partial_update": extend_schema(
        operation_id="change_task",
        summary="Change some fields of a task",
        description="Fields that are left out stay as they are. `params` is one field: it is replaced as a whole.",
        responses={200: TaskSerializer, 400: INVALID, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
    ),
    "destroy": extend_schema(
        operation_id="delete_task",
        summary="Delete a task",
        description="What waits is cancelled, what runs is told to stop, and the history stays.",
        responses={204: None, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
    ),
}

PAUSE: dict[str, Any] = {
    "operation_id": "pause_task",
    "summary": "Pause a task",
    "description": "Its trigger stops; what is queued or running goes on. Needs the role operator.",
    "request": None,
    "responses": {200: TaskSerializer, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
}

RESUME: dict[str, Any] = {
    "operation_id": "resume_task",
    "summary": "Resume a task",
    "description": "Ticks that were missed meanwhile follow the task's catch-up policy. Needs the role operator.",
    "request": None,
    "responses": {200: TaskSerializer, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
}

RUN: dict[str, Any] = {
    "operation_id": "run_task",
    "summary": "Run a task now, or at a moment",
    "description": (
        "The run obeys the task's limits: under the overlap rule `skip` it may end as `skipped` at once. With an "
        "idempotency key, a request that is repeated returns the first instance again, whatever else it says."
    ),
    "request": RunSerializer,
    "parameters": [
        OpenApiParameter(
            "Idempotency-Key",
            str,
            OpenApiParameter.HEADER,
            description="At most 200 characters, unique for the task; the body's `key` is the same thing.",
        ),
        OpenApiParameter(
            "Idempotent-Replay",
            str,
            OpenApiParameter.HEADER,
            response=[200],
            description="`true`: the key has made this instance before.",
        ),
    ],
    "examples": [
        OpenApiExample("As the task says", value={}, request_only=True),
        OpenApiExample(
            "With params of its own, at a moment",
            value={"params": {"json": {"kind": "weekly"}}, "at": "2030-03-01T08:00:00+01:00"},
            request_only=True,
        ),
    ],
    "responses": {
        201: OpenApiResponse(InstanceDetailSerializer, description="The new instance."),
        200: OpenApiResponse(InstanceDetailSerializer, description="The instance that this key made before."),
        400: problem(
            "Params that do not fit, a moment without a time zone, or a key that is too long.",
            OpenApiExample("Params", value={"params": {"url": ["Field required"]}}),
            OpenApiExample("Moment", value={"at": ["This moment needs a time zone, for example …"]}),
            OpenApiExample("Key", value={"key": ["A key has between 1 and 200 characters."]}),
        ),
        401: UNAUTHENTICATED,
        403: FORBIDDEN,
        404: MISSING,
    },
}

PREVIEW: dict[str, Any] = {
    "operation_id": "preview_task",
    "summary": "When does it fire?",
    "description": "It answers for the trigger alone: whether the task is paused does not matter.",
    "parameters": [PreviewQuerySerializer],
    "responses": {200: PreviewSerializer, 400: INVALID, 401: UNAUTHENTICATED, 404: MISSING},
}

PREVIEW_UNSAVED: dict[str, Any] = {
    "operation_id": "preview_trigger",
    "summary": "When would it fire?",
    "description": "Takes a trigger that is not stored, and stores nothing.",
    "request": TriggerSerializer,
    "examples": [
        OpenApiExample(
            "The last Friday of each month",
            value={
                "trigger": "cron",
                "cron_expression": "0 18 * * L5",
                "timezone": "Asia/Shanghai",
                "count": 3,
            },
            request_only=True,
        )
    ],
    "responses": {200: PreviewSerializer, 400: INVALID, 401: UNAUTHENTICATED},
}
