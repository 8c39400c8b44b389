"""What becomes of an import: a file to look at first, or tasks at once."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.models import Namespace
from scheduling.importers.result import Imported
from scheduling.models import Task
from scheduling.services.definitions import (
    Applied,
    DefinitionProblem,
    DefinitionsRefused,
    Document,
    Documents,
    Place,
    apply_definitions,
    as_yaml,
)


def as_definition_file(found: Imported) -> str:
    """Return the definitions as a YAML text that `apply` reads."""
    return as_yaml(found.definitions.values())


def note_problems(found: Imported) -> None:
    """Note what `apply` would refuse of the definitions here and now; nothing is stored."""
    for row, message in _refused(found):
        found.note(row, message)


def apply_import(found: Imported, *, namespace: str, owner: str, overwrite: bool) -> Applied:
    """Store the definitions; one that is refused is skipped with a note, and the rest is stored.

    A task that exists is only touched with ``overwrite``.
    """
    if not overwrite:
        stored = set(Task.objects.filter(namespace__name=namespace).values_list("name", flat=True))
        for row, definition in list(found.definitions.items()):
            if definition["name"] in stored:
                found.skip(row, _("a task of this name exists already."))
    for row, message in _refused(found, owner=owner):
        found.skip(row, message)
    return apply_definitions(_documents(found), owner=owner)


def namespace_exists(name: str) -> bool:
    """Tell whether there is such a namespace."""
    return Namespace.objects.filter(name=name).exists()


def _documents(found: Imported) -> Documents:
    return Documents(objects=[Document(Place(row), definition) for row, definition in found.definitions.items()])


def _refused(found: Imported, *, owner: str = "") -> list[tuple[str, str]]:
    try:
        apply_definitions(_documents(found), owner=owner, dry_run=True)
    except DefinitionsRefused as error:
        return [(each.place.source, _sentence(each)) for each in error.problems]
    return []


def _sentence(problem: DefinitionProblem) -> str:
    field = ".".join(map(str, (problem.field, *problem.path)))
    return f"{field}: {problem.message}" if field else problem.message
