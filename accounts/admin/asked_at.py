"""When the database was asked for a row, by its own clock."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

_NAME = "_rota_asked_at"

Row = TypeVar("Row", bound=Model)


def with_asked_at(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Return ``rows``, each of which knows when it was read."""
    annotated: QuerySet[Row] = rows.annotate(**{_NAME: Now()})
    return annotated


def asked_at(row: Model) -> datetime:
    """Return when ``row`` was read by the database's clock; of a row that came another way, now by this machine's."""
    read_at: datetime | None = row.__dict__.get(_NAME)
    return read_at or timezone.now()
