"""The endpoint of a task's ledger."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.actor import actor_of
from accounts.api.fields import MomentField
from accounts.api.filters import refuse_unknown
from accounts.api.responses import MISSING, UNAUTHENTICATED, problem
from accounts.api.serializers import StrictSerializer
from scheduling.api.instance_serializers import INSTANCE_STATE_CHOICES
from scheduling.domain.ledger import TickState
from scheduling.ledger import MOST_TICKS, TICK_STATE_LABELS, Ledger, LedgerLine, read_ledger
from scheduling.selectors import visible_tasks

#: Value and word for people.
TICK_STATE_CHOICES = [(state.value, label) for state, label in TICK_STATE_LABELS.items()]


class LedgerQuerySerializer(StrictSerializer):
    """Which period."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_TICKS, default=MOST_TICKS, help_text=_("At most so many ticks.")
    )

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; `from` is a word of the language, and no name for an attribute."""
        return {
            "from": MomentField(source="from_at", help_text=_("The first moment.")),
            "until": MomentField(source="until_at", help_text=_("The last moment, included.")),
            **super().get_fields(),
        }


class TickSerializer(serializers.Serializer[LedgerLine]):
    """One tick and what became of it."""

    at = MomentField(source="entry.at")
    state = serializers.ChoiceField(source="entry.state", choices=TICK_STATE_CHOICES)
    instance = serializers.IntegerField(  # type: ignore[assignment] # fields are moved away from the class
        source="entry.instance_id", allow_null=True, help_text=_("Its own instance, or the one that stands for it.")
    )
    instance_state = serializers.SerializerMethodField()
    late_seconds = serializers.SerializerMethodField(help_text=_("How long after its moment its instance was made."))
    reason = serializers.CharField(source="entry.reason")
    message = serializers.CharField()
    backfilled = serializers.SerializerMethodField(help_text=_("Instances that backfills made for it, newest first."))

    @extend_schema_field(serializers.ChoiceField(choices=INSTANCE_STATE_CHOICES, allow_null=True))
    def get_instance_state(self, line: LedgerLine) -> str | None:
        """Return how the instance stands."""
        return line.instance.state.value if line.instance is not None else None

    def get_late_seconds(self, line: LedgerLine) -> float | None:
        """Return the lateness; empty for a tick without an instance of its own."""
        return line.entry.lateness.total_seconds() if line.entry.lateness is not None else None

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_backfilled(self, line: LedgerLine) -> list[int]:
        """Return their ids."""
        return [instance.pk for instance in line.backfilled]


class LedgerSerializer(serializers.Serializer[Ledger]):
    """Every tick of a period."""

    counts = serializers.SerializerMethodField()
    unexplained = serializers.IntegerField(help_text=_("Always 0; anything else is a defect."))
    next_from = MomentField(allow_null=True, help_text=_("Ask again from here; empty when the period is complete."))
    note = serializers.CharField(help_text=_("A sentence when there is more."))
    ticks = TickSerializer(source="lines", many=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields, the period first."""
        return {
            "from": MomentField(source="from_at"),
            "until": MomentField(source="until_at", help_text=_("Up to where this answer is complete.")),
            **super().get_fields(),
        }

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_counts(self, ledger: Ledger) -> dict[str, int]:
        """Return how many ticks are in each state; those in none are left out."""
        return {state.value: count for state, count in ledger.counts.items() if count or state is TickState.UNEXPLAINED}


class LedgerView(APIView):
    """What became of each tick."""

    @extend_schema(
        operation_id="get_task_ledger",
        tags=["tasks"],
        summary="What became of each tick?",
        description=(
            "Every tick of the schedules that were in force in the period, oldest first: `ran`, `late`, `coalesced` "
            "into a later instance, `skipped` for a reason, `paused`, `due` or `upcoming`. A period with more ticks "
            "than `limit` is answered up to `until`; go on from `next_from`."
        ),
        parameters=[LedgerQuerySerializer],
        responses={
            200: LedgerSerializer,
            400: problem(
                "The period is missing or wrong.",
                OpenApiExample("Backwards", value={"until": ["The range ends before it begins."]}),
            ),
            401: UNAUTHENTICATED,
            404: MISSING,
        },
    )
    def get(self, request: Request, pk: int) -> Response:
        """Return the ledger of a period."""
        task = visible_tasks(actor_of(request)).filter(pk=pk).first()
        if task is None:
            raise Http404
        refuse_unknown(request.query_params, LedgerQuerySerializer().fields)
        asked = LedgerQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        try:
            ledger = read_ledger(task, from_at=fields["from_at"], until_at=fields["until_at"], most=fields["limit"])
        except ModelValidationError as error:
            raise ValidationError(error.message_dict if hasattr(error, "error_dict") else error.messages) from error
        return Response(LedgerSerializer(ledger).data)
