"""The endpoint that tells which handlers exist and what params they take."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import refuse_unknown
from accounts.api.responses import UNAUTHENTICATED
from scheduling.domain.handlers import HandlerSpec, catalogue


class HandlerSerializer(serializers.Serializer[Any]):
    """What runs a kind of task."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF's fields have a label of their own
    params_schema = serializers.SerializerMethodField()

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_params_schema(self, handler: HandlerSpec) -> dict[str, Any]:
        """Return the JSON Schema of the params."""
        return handler.params_schema()


class HandlerViewSet(viewsets.ViewSet):
    """The handlers that this server knows."""

    @extend_schema(
        operation_id="list_handlers",
        tags=["handlers"],
        summary="List handlers",
        description="Each with the JSON Schema (draft 2020-12) of its params. All of them, by name, on one page.",
        responses={200: HandlerSerializer(many=True), 401: UNAUTHENTICATED},
    )
    def list(self, request: Request) -> Response:
        """List the handlers by name."""
        refuse_unknown(request.query_params, {})
        handlers = [catalogue.get(name) for name in catalogue.names()]
        return Response(HandlerSerializer(handlers, many=True).data)
