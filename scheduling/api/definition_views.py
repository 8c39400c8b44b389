"""The endpoints of definitions: apply a set of them, and write them out."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ParseError, PermissionDenied
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.actor import actor_of
from accounts.api.filters import refuse_unknown
from accounts.api.responses import FORBIDDEN, UNAUTHENTICATED, problem
from accounts.permissions import permitted_namespaces
from accounts.roles import Action
from scheduling.api.definition_text import (
    JsonDefinitions,
    OldYamlDefinitions,
    TextYamlDefinitions,
    YamlDefinitions,
    YamlRenderer,
)
from scheduling.services.definitions import (
    DefinitionsRefused,
    Documents,
    Outcome,
    apply_definitions,
    export_definitions,
)

_DEFINITION = {"type": "object", "additionalProperties": True, "required": ["kind", "name"]}
_DEFINITIONS = {"oneOf": [_DEFINITION, {"type": "array", "items": _DEFINITION}]}
_BODY = {"application/json": _DEFINITIONS, "application/yaml": {"type": "string"}}

_REFUSED = problem(
    "Something is wrong; nothing was applied.",
    OpenApiExample(
        "A wrong field",
        value={
            "detail": "Nothing was applied: there is 1 problem.",
            "problems": [
                {
                    "document": "2",
                    "object": "task default/nightly",
                    "field": "cron_expression",
                    "path": [],
                    "message": "The hour field cannot be “25”; it takes 0–23, lists, ranges and steps.",
                }
            ],
        },
    ),
)


class ApplyQuerySerializer(serializers.Serializer[Any]):
    """How a set of definitions is applied."""

    dry_run = serializers.BooleanField(default=False, help_text=gettext_lazy("Show what would change; change nothing."))
    owner = serializers.CharField(
        required=False, max_length=100, help_text=gettext_lazy("Mark the tasks as belonging to this set of files.")
    )
    prune = serializers.BooleanField(
        default=False, help_text=gettext_lazy("Delete tasks with the owner's mark that the set does not define.")
    )


class ChangedObjectSerializer(serializers.Serializer[Any]):
    """What became of one object."""

    kind = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    outcome = serializers.CharField(help_text=gettext_lazy("created, changed, unchanged or pruned."))
    diff = serializers.CharField(help_text=gettext_lazy("A unified diff without secrets; empty for “unchanged”."))


class AppliedSerializer(serializers.Serializer[Any]):
    """What became of a set of definitions; with `dry_run`, what would."""

    dry_run = serializers.BooleanField()
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    pruned = serializers.IntegerField()
    objects = ChangedObjectSerializer(many=True)


class ExportQuerySerializer(serializers.Serializer[Any]):
    """Which definitions are asked for."""

    namespace = serializers.CharField(required=False)
    task = serializers.ListField(
        child=serializers.CharField(), default=list, help_text=gettext_lazy("By name; may be given several times.")
    )
    owner = serializers.CharField(required=False)


class ApplyDefinitionsView(APIView):
    """Makes tasks, calendars and pools equal to definitions."""

    parser_classes = [JsonDefinitions, YamlDefinitions, OldYamlDefinitions, TextYamlDefinitions]

    @extend_schema(
        operation_id="apply_definitions",
        tags=["definitions"],
        summary="Apply definitions",
        description=(
            "Creates and changes the tasks, calendars and pools that the body defines, all of them or, when anything "
            "is wrong, none. A field that is not given gets its default, except `enabled`. Needs the role "
            "administrator in each namespace that is named."
        ),
        parameters=[ApplyQuerySerializer],
        request=_BODY,
        responses={200: AppliedSerializer, 400: _REFUSED, 401: UNAUTHENTICATED, 403: FORBIDDEN},
    )
    def post(self, request: Request) -> Response:
        """Apply the definitions of the body."""
        refuse_unknown(request.query_params, ApplyQuerySerializer().fields)
        query = ApplyQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        # Asked before the body is read, which takes its time.
        if not permitted_namespaces(request.user, Action.ADMINISTER).exists():
            raise PermissionDenied(_("You are an administrator of no namespace, so you can apply no definitions."))
        body: Any = request.data
        documents = body.get("documents", Documents())
        if not (documents.objects or documents.problems):
            raise ParseError(_("The body holds no definition."))
        try:
            applied = apply_definitions(documents, actor=actor_of(request), **query.validated_data)
        except DefinitionsRefused as error:
            return Response(_refusal(error), status=status.HTTP_400_BAD_REQUEST)
        answer: dict[str, Any] = {"dry_run": applied.dry_run}
        answer |= {outcome.value: applied.count(outcome) for outcome in Outcome}
        answer["objects"] = [
            {
                **dict(zip(("kind", "namespace", "name"), change.key, strict=True)),
                "outcome": change.outcome.value,
                "diff": change.diff,
            }
            for change in applied.changes
        ]
        return Response(answer)


class ExportDefinitionsView(APIView):
    """Writes tasks, calendars and pools as definitions."""

    renderer_classes = [JSONRenderer, YamlRenderer]

    @extend_schema(
        operation_id="export_definitions",
        tags=["definitions"],
        summary="Export definitions",
        description=(
            "Calendars, pools, then tasks, by namespace and name: only what differs from the defaults, and a mask "
            "instead of each secret. As YAML with `Accept: application/yaml` or `?format=yaml`. It can be applied "
            "again."
        ),
        parameters=[ExportQuerySerializer],
        responses={
            (200, "application/json"): {"type": "array", "items": _DEFINITION},
            (200, "application/yaml"): OpenApiTypes.STR,
            401: UNAUTHENTICATED,
        },
    )
    def get(self, request: Request) -> Response:
        """Return the definitions that the user may see."""
        refuse_unknown(request.query_params, ExportQuerySerializer().fields)
        query = ExportQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        return Response(
            export_definitions(
                namespace=asked.get("namespace", ""),
                names=asked["task"],
                owner=asked.get("owner", ""),
                actor=actor_of(request),
            )
        )


def _refusal(error: DefinitionsRefused) -> dict[str, Any]:
    return {
        "detail": str(error),
        "problems": [
            {
                "document": each.place.number,
                "object": each.subject,
                "field": each.field,
                "path": list(each.path),
                "message": each.message,
            }
            for each in error.problems
        ],
    }
