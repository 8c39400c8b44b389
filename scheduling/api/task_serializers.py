"""Tasks and their triggers as JSON. Shapes only: whether a definition is sound, the services say."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField, NamespaceField
from accounts.api.serializers import StrictModelSerializer, StrictSerializer
from scheduling.api.task_state import TASK_STATE_CHOICES, clock_of, state_of
from scheduling.domain.task_trigger import TRIGGER_FIELDS
from scheduling.models import Task

_PARAMS_SCHEMA = {"type": "object", "additionalProperties": True}

#: How many fires a preview can show at once.
MOST_FIRES = 100

