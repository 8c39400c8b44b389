"""From what is wrong with a definition to the API's error shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext
from rest_framework.exceptions import ValidationError

from scheduling.domain.errors import InvalidField
from scheduling.models import Task
from scheduling.services.problems import Problem

#: Where a part of the params is both wrong itself and has wrong parts.
_ITSELF = "non_field_errors"


@dataclass(slots=True)
class _Place:
    messages: list[str] = field(default_factory=list)
    parts: dict[str, _Place] = field(default_factory=dict)

    def as_json(self) -> Any:
        if not self.parts:
            return self.messages
        itself = {_ITSELF: self.messages} if self.messages else {}
        return {**itself, **{name: place.as_json() for name, place in self.parts.items()}}


def by_field(problems: Iterable[Problem]) -> dict[str, Any]:
    """Return the sentences under the names of their fields, nested along the path inside params.

    ``{"cron_expression": ["…"], "params": {"headers": {"0": ["…"]}}}``
    """
    root = _Place()
    for problem in problems:
        place = root
        for part in (_field_name(problem), *map(str, problem.path)):
            place = place.parts.setdefault(part, _Place())
        if problem.message not in place.messages:
            place.messages.append(problem.message)
    return {name: place.as_json() for name, place in root.parts.items()}


def invalid_field(error: InvalidField) -> ValidationError:
    """Return the API's error for one wrong field of a trigger."""
    return ValidationError({error.field: [gettext(error.message) % error.params]})


@contextmanager
def nothing_half_saved(find: Callable[[], list[Problem]]) -> Iterator[None]:
    """Run the block in one transaction; when what it was given is refused, say which fields are wrong.

    ``find`` is asked only then. Two people who take one name at the same moment both pass the check, and the
    database refuses the later one; that is the same problem, found a moment later.
    """
    try:
        with transaction.atomic():
            yield
    except (ModelValidationError, IntegrityError) as error:
        problems = find()
        if not problems:
            raise
        raise ValidationError(by_field(problems)) from error


def _field_name(problem: Problem) -> str:
    # A name that is taken is the only thing that the model as a whole can refuse; people look at the name.
    if problem.field == NON_FIELD_ERRORS and problem.message in _constraint_messages():
        return "name"
    return _ITSELF if problem.field == NON_FIELD_ERRORS else problem.field


def _constraint_messages() -> set[str]:
    return {str(constraint.get_violation_error_message()) for constraint in Task._meta.constraints}
