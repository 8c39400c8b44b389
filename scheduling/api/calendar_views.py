"""The endpoints of calendars."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import actor_of
from accounts.api.fields import default_namespace
from accounts.api.filters import CharFilter, FilterSet, NamespaceFilter, refuse_unknown
from accounts.api.pagination import OldestFirst
from accounts.api.responses import FORBIDDEN, INVALID, MISSING, UNAUTHENTICATED, problem
from accounts.api.serializers import checked
from scheduling.api.calendar_serializers import (
    CalendarSerializer,
    DaySerializer,
    DaysQuerySerializer,
    HolidayImportResultSerializer,
    HolidayImportSerializer,
)
from scheduling.api.problems import nothing_half_saved
from scheduling.domain.calendar_days import read_days
from scheduling.models import Calendar, CalendarRule
from scheduling.models.calendar import CalendarQuerySet
from scheduling.services import delete_calendar, find_calendar_problems, import_holidays, save_calendar
from scheduling.services.blackouts import read_calendar

_OFFICE = OpenApiExample(
    "Weekends and a make-up day",
    request_only=True,
    value={
        "name": "office days",
        "rules": [
            {"effect": "blackout", "kind": "weekdays", "weekdays": [6, 7], "note": "Weekend"},
            {"effect": "blackout", "kind": "yearly", "month": 12, "day": 25, "note": "Christmas Day"},
            {"effect": "blackout", "kind": "hours", "from_time": "22:00", "until_time": "06:00", "note": "Night"},
            {"effect": "inclusion", "kind": "dates", "first_day": "2026-10-10", "note": "Make-up working day"},
        ],
    },
)
_USED = OpenApiExample("It is used", value={"detail": "“office days” is used by “nightly report”; take it off there …"})
_CHANGED: dict[int, Any] = {
    200: CalendarSerializer,
    400: INVALID,
    401: UNAUTHENTICATED,
    403: FORBIDDEN,
    404: MISSING,
}


class CalendarFilter(FilterSet):
    """The query string of `GET /calendars/`."""

    namespace = NamespaceFilter()
    name = CharFilter(label=_("exactly this name"))

    class Meta:
        model = Calendar
        fields: list[str] = []


@extend_schema(tags=["calendars"])
@extend_schema_view(
    list=extend_schema(
        operation_id="list_calendars",
        summary="List calendars",
        description="Oldest first, with their rules.",
        responses={200: CalendarSerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED},
    ),
    retrieve=extend_schema(
        operation_id="get_calendar",
        summary="Show a calendar",
        responses={200: CalendarSerializer, 401: UNAUTHENTICATED, 404: MISSING},
    ),
    create=extend_schema(
        operation_id="create_calendar",
        summary="Create a calendar",
        description="Needs the role administrator in the namespace.",
        examples=[_OFFICE],
        responses={201: CalendarSerializer, 400: INVALID, 401: UNAUTHENTICATED, 403: FORBIDDEN},
    ),
    update=extend_schema(
        operation_id="replace_calendar",
        summary="Replace a calendar",
        description="Rules that are left out are deleted; `namespace` stays as it is.",
        responses=_CHANGED,
    ),
    partial_update=extend_schema(
        operation_id="change_calendar",
        summary="Change some fields of a calendar",
        description="`rules` is one field: it is replaced as a whole. Left out, it stays as it is.",
        responses=_CHANGED,
    ),
    destroy=extend_schema(
        operation_id="delete_calendar",
        summary="Delete a calendar",
        description="Refused while a task uses it.",
        responses={204: None, 400: problem("It is used.", _USED), 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: MISSING},
    ),
)
class CalendarViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Calendar]):
    """Days and hours on which tasks do not run, or run after all."""

    queryset = Calendar.objects.none()
    serializer_class = CalendarSerializer
    filterset_class = CalendarFilter
    pagination_class = OldestFirst
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> CalendarQuerySet:
        """Return the calendars that the user may see."""
        found = Calendar.objects.visible_to(self.request.user)
        return found.select_related("namespace").prefetch_related("rules", "tasks")

    def create(self, request: Request) -> Response:
        """Store a new calendar."""
        fields = checked(self.get_serializer(data=request.data))
        if "namespace" not in fields:
            fields["namespace"] = default_namespace(actor_of(request))
        fields.setdefault("rules", [])
        calendar = self._stored(request, Calendar(), fields)
        return Response(self._shown(calendar), status=status.HTTP_201_CREATED)

    def update(self, request: Request, pk: str) -> Response:
        """Replace a calendar."""
        fields = checked(self.get_serializer(data=request.data))
        changed = self._stored(request, self.get_object(), {"description": "", "rules": [], **fields})
        return Response(self._shown(changed))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a calendar."""
        fields = checked(self.get_serializer(data=request.data, partial=True))
        return Response(self._shown(self._stored(request, self.get_object(), fields)))

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a calendar that no task uses."""
        delete_calendar(self.get_object(), actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="import_holidays",
        summary="Add public holidays",
        description=(
            "Public holidays become blackouts; working days that make up for a bridge day become inclusions, where "
            "they are known. Doing it again adds only what is new."
        ),
        request=HolidayImportSerializer,
        examples=[
            OpenApiExample("China", request_only=True, value={"country": "CN", "years": [2026], "weekends": True})
        ],
        responses={
            200: HolidayImportResultSerializer,
            400: INVALID,
            401: UNAUTHENTICATED,
            403: FORBIDDEN,
            404: MISSING,
        },
    )
    @action(detail=True, methods=["post"], url_path="import-holidays", url_name="import-holidays")
    def import_holidays(self, request: Request, pk: str) -> Response:
        """Add the public holidays of a country."""
        calendar = self.get_object()
        done = import_holidays(calendar, **checked(HolidayImportSerializer(data=request.data)), actor=actor_of(request))
        return Response(HolidayImportResultSerializer(done).data)

    @extend_schema(
        operation_id="show_calendar_days",
        summary="Show what a calendar says about each day",
        parameters=[DaysQuerySerializer],
        responses={200: DaySerializer(many=True), 400: INVALID, 401: UNAUTHENTICATED, 404: MISSING},
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def days(self, request: Request, pk: str) -> Response:
        """Show each day of a range."""
        calendar = self.get_object()
        refuse_unknown(request.query_params, DaysQuerySerializer().fields)
        asked = checked(DaysQuerySerializer(data=request.query_params))
        return Response(
            DaySerializer(read_days(read_calendar(calendar), asked["first"], asked["last"]), many=True).data
        )

    def _stored(self, request: Request, calendar: Calendar, fields: dict[str, Any]) -> Calendar:
        given = fields.pop("rules", None)
        rules = None if given is None else [CalendarRule(**rule) for rule in given]
        for name, value in fields.items():
            setattr(calendar, name, value)
        with nothing_half_saved(lambda: find_calendar_problems(calendar, rules)):
            return save_calendar(calendar, rules, actor=actor_of(request))

    def _shown(self, calendar: Calendar) -> Any:
        return self.get_serializer(self.get_queryset().get(pk=calendar.pk)).data
