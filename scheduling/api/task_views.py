"""The endpoints of tasks."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import actor_of
from accounts.api.fields import default_namespace
from accounts.api.filters import refuse_unknown
from accounts.api.pagination import OldestFirst
from accounts.api.serializers import checked
from accounts.models import Namespace
from scheduling.api import task_docs as docs
from scheduling.api.instance_serializers import InstanceDetailSerializer
from scheduling.api.instance_views import read_instance
from scheduling.api.preview_answer import preview_answer
from scheduling.api.preview_serializers import ASKED, PreviewQuerySerializer, TriggerSerializer
from scheduling.api.problems import by_field, nothing_half_saved
from scheduling.api.run_once import run_once
from scheduling.api.task_filters import TaskFilter
from scheduling.api.task_serializers import (
    RunSerializer,
    TaskSerializer,
)
from scheduling.domain.param_secrets import unmasked
from scheduling.domain.states import Origin
from scheduling.models import Calendar, Task
from scheduling.models.task import TaskQuerySet
from scheduling.selectors import visible_tasks
from scheduling.services import (
    delete_task,
    find_calendars,
    find_pool,
    find_problems,
    pause_task,
    resume_task,
    run_task_now,
    save_task,
)
from scheduling.services.run import params_of_run
from scheduling.services.validation import params_problems

REPLAYED_HEADER = "Idempotent-Replay"

#: What a PUT that does not mention it leaves alone: where the task lives, and whether somebody paused it.
_KEPT_BY_PUT = frozenset({"namespace", "enabled"})
_SET_APART = _KEPT_BY_PUT | {"calendars"}


@extend_schema(tags=["tasks"])
@extend_schema_view(**docs.TASK_VIEWS)
class TaskViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Task]):
    """Reusable definitions of work."""

    queryset = Task.objects.none()
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    pagination_class = OldestFirst
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> TaskQuerySet:
        """Return the tasks that the user may see."""
        return visible_tasks(self.request.user).prefetch_related("calendars")

    def create(self, request: Request) -> Response:
        """Store a new task."""
        fields = checked(self.get_serializer(data=request.data))
        if "namespace" not in fields:
            fields["namespace"] = default_namespace(actor_of(request))
        calendars = _take_calendars(fields, fields["namespace"])
        _find_named_pool(fields, fields["namespace"])
        task = Task(**fields)
        with nothing_half_saved(lambda: find_problems(task, calendars=calendars)):
            save_task(task, calendars=calendars, actor=actor_of(request))
        return Response(self._shown(task), status=status.HTTP_201_CREATED)

    def update(self, request: Request, pk: str) -> Response:
        """Replace a task's definition."""
        fields = checked(self.get_serializer(data=request.data))
        defaults = {name: getattr(Task(), name) for name in _replaced_by_put()}
        return self._changed(request, {**defaults, "calendars": [], **fields})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a task."""
        return self._changed(request, checked(self.get_serializer(data=request.data, partial=True)))

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a task; its history stays."""
        delete_task(self.get_object(), actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(**docs.PAUSE)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Stop the task's trigger."""
        task = self.get_object()
        pause_task(task, actor=actor_of(request))
        return Response(self._shown(task))

    @extend_schema(**docs.RESUME)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let the task's trigger go on."""
        task = self.get_object()
        resume_task(task, actor=actor_of(request))
        return Response(self._shown(task))

    @extend_schema(**docs.RUN)
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Run the task outside its trigger."""
        task = self.get_object()
        asked = checked(RunSerializer(data=request.data))
        params, at, key = asked.get("params"), asked.get("at"), _key_of(request, asked.get("key"))
        actor = actor_of(request)
        try:
            if key is None:
                repeated = False
                instance = run_task_now(task, params=params, at=at, origin=Origin.API, actor=actor)
            else:
                instance, repeated = run_once(task, key=key, params=params, at=at, actor=actor)
        except ModelValidationError:
            # The same problems, with their places inside params.
            merged = params_of_run(task, params or {})
            if problems := params_problems(task.handler, merged, namespace_id=task.namespace_id):
                raise ValidationError(by_field(problems)) from None
            raise
        body = InstanceDetailSerializer(read_instance(actor, instance.pk), context=self.get_serializer_context()).data
        if repeated:
            return Response(body, headers={REPLAYED_HEADER: "true"})
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(**docs.PREVIEW)
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def preview(self, request: Request, pk: str) -> Response:
        """Show when the stored task fires next."""
        task = self.get_object()
        refuse_unknown(request.query_params, PreviewQuerySerializer().fields)
        return preview_answer(task, checked(PreviewQuerySerializer(data=request.query_params)))

    @extend_schema(**docs.PREVIEW_UNSAVED)
    @action(detail=False, methods=["post"], url_path="preview", url_name="preview-unsaved")
    def preview_unsaved(self, request: Request) -> Response:
        """Show when a trigger would fire, without storing anything."""
        fields = checked(TriggerSerializer(data=request.data, context=self.get_serializer_context()))
        asked = {name: fields.pop(name) for name in ASKED if name in fields}
        calendars = None
        if "calendars" in fields:
            if "namespace" not in fields:
                raise ValidationError({"namespace": [_("Say in which namespace the calendars are.")]})
            calendars = _take_calendars(fields, fields["namespace"])
        return preview_answer(Task(**fields), asked, calendars=calendars)

    def _changed(self, request: Request, fields: dict[str, Any]) -> Response:
        """Store ``fields`` of the task, which nobody else changes meanwhile."""
        task = self.get_object()
        calendars = _take_calendars(fields, fields.get("namespace", task.namespace))
        _find_named_pool(fields, fields.get("namespace", task.namespace))
        with nothing_half_saved(lambda: find_problems(task, calendars=calendars)):
            task = Task.objects.select_for_update().get(pk=task.pk)
            if fields.get("delay_seconds") is not None:
                # A delay that is given anew counts from now, and the moment of the old one goes.
                fields.setdefault("run_at", None)
            if "params" in fields:
                # What a GET shows can be sent back.
                fields["params"] = unmasked(fields["params"], task.params)
            for name, value in fields.items():
                setattr(task, name, value)
            save_task(task, calendars=calendars, actor=actor_of(request))
        return Response(self._shown(task))

    def _shown(self, task: Task) -> Any:
        return self.get_serializer(self.get_queryset().get(pk=task.pk)).data


def _replaced_by_put() -> list[str]:
    fields = TaskSerializer().fields.items()
    return [name for name, field in fields if not field.read_only and name not in _SET_APART]


def _take_calendars(fields: dict[str, Any], namespace: Namespace) -> list[Calendar] | None:
    """Take the names of calendars out of ``fields`` and return what they name; None when none were given."""
    names = fields.pop("calendars", None)
    try:
        return None if names is None else find_calendars(namespace, names)
    except ModelValidationError as error:
        raise ValidationError(error.message_dict) from error


def _find_named_pool(fields: dict[str, Any], namespace: Namespace) -> None:
    """Put the pool into ``fields`` in the place of its name."""
    if fields.get("pool") is None:
        return
    try:
        fields["pool"] = find_pool(namespace, fields["pool"])
    except ModelValidationError as error:
        raise ValidationError(error.message_dict) from error


def _key_of(request: Request, key: str | None) -> str | None:
    """Return the idempotency key, from the header or the body."""
    header = request.headers.get("Idempotency-Key")
    if header is not None and key is not None and header != key:
        raise ValidationError({"key": [_("The header Idempotency-Key and the body give different keys.")]})
    return header if header is not None else key
