"""From plain objects to what they define, field by field; everything that is wrong is noted with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from accounts.models import DEFAULT_NAMESPACE
from scheduling.services.definitions.documents import Document
from scheduling.services.definitions.fields import (
    WrongValue,
    pool_fields,
    read_plain,
    rule_fields,
    task_fields,
    unknown_field,
)
from scheduling.services.definitions.problems import DefinitionProblem, Place

TASK, CALENDAR, POOL = "task", "calendar", "pool"
KINDS = (CALENDAR, POOL, TASK)

#: The natural key: kind, namespace, name.
Key = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One object that a file defines. ``fields`` holds only what is given, as the model holds it.

    A task's pool is given by its name. A task's ``members`` are the names of its calendars, a calendar's are its rules.
    """

    place: Place
    kind: str
    namespace: str
    name: str
    fields: dict[str, Any]
    members: list[Any]

    @property
    def key(self) -> Key:
        """The natural key."""
        return self.kind, self.namespace, self.name

    @property
    def subject(self) -> str:
        """The object as a problem names it."""
        return f"{self.kind} {self.namespace}/{self.name}"

    def problem(self, message: str, *, field: str = "", path: tuple[str | int, ...] = ()) -> DefinitionProblem:
        """Return something that is wrong with this object."""
        return DefinitionProblem(place=self.place, subject=self.subject, message=message, field=field, path=path)


def read_entries(documents: list[Document]) -> tuple[list[Entry], list[DefinitionProblem]]:
    """Return what the documents define, and everything that is wrong with how they are written.

    A key that two documents define is a problem, because the order of files should not matter.
    """
    entries: dict[Key, Entry] = {}
    problems: list[DefinitionProblem] = []
    for document in documents:
        entry, wrong = _read(document)
        problems += wrong
        if entry is None:
            continue
        if entry.key in entries:
            problems.append(
                entry.problem(
                    _("This is defined twice: also in %(place)s.") % {"place": entries[entry.key].place}, field="name"
                )
            )
            continue
        entries[entry.key] = entry
    return list(entries.values()), problems


def _read(document: Document) -> tuple[Entry | None, list[DefinitionProblem]]:
    body = dict(document.body)
    kind = body.pop("kind", None)
    if kind not in KINDS:
        sentence = _("This is one of: %(kinds)s.") % {"kinds": ", ".join(KINDS)}
        return None, [DefinitionProblem(place=document.place, field="kind", message=sentence)]
    namespace, name = body.pop("namespace", DEFAULT_NAMESPACE), body.pop("name", None)
    for field, value in (("namespace", namespace), ("name", name)):
        if not isinstance(value, str) or not value:
            sentence = _("This is a text; write it in quotes.") if value else _("Every definition needs a name.")
            return None, [DefinitionProblem(place=document.place, subject=kind, field=field, message=sentence)]
    entry = Entry(place=document.place, kind=kind, namespace=namespace, name=name, fields={}, members=[])
    match kind:
        case "task":
            problems = _read_task(entry, body)
        case "calendar":
            problems = _read_calendar(entry, body)
        case _:
            problems = _read_fields(entry, body, pool_fields(), entry.fields)
    return entry, problems


def _read_task(entry: Entry, body: dict[str, Any]) -> list[DefinitionProblem]:
    problems = []
    calendars = body.pop("calendars", [])
    if isinstance(calendars, list) and all(isinstance(each, str) for each in calendars):
        entry.members.extend(sorted(set(calendars)))
    else:
        problems.append(entry.problem(_("This is a list of names."), field="calendars"))
    return problems + _read_fields(entry, body, task_fields(), entry.fields, besides=("calendars",))


def _read_calendar(entry: Entry, body: dict[str, Any]) -> list[DefinitionProblem]:
    rules, problems = body.pop("rules", []), []
    description = body.pop("description", "")
    if isinstance(description, str):
        entry.fields["description"] = description
    else:
        problems.append(entry.problem(_("This is a text; write it in quotes."), field="description"))
    problems += [
        entry.problem(unknown_field(name, ["kind", "namespace", "name", "description", "rules"]), field=name)
        for name in body
    ]
    if not isinstance(rules, list):
        return [*problems, entry.problem(_("This is a list."), field="rules")]
    for index, rule in enumerate(rules):
        fields: dict[str, Any] = {}
        entry.members.append(fields)
        if isinstance(rule, Mapping):
            problems += _read_fields(entry, rule, rule_fields(), fields, path=("rules", index))
        else:
            problems.append(entry.problem(_("This is an object."), field="rules", path=(index,)))
    return problems


def _read_fields(
    entry: Entry,
    given: Mapping[str, Any],
    known: Mapping[str, models.Field[Any, Any]],
    into: dict[str, Any],
    *,
    path: tuple[str | int, ...] = (),
    besides: tuple[str, ...] = (),
) -> list[DefinitionProblem]:
    """Read what is given into ``into``; return what is wrong. ``path`` leads to where the fields stand."""
    problems = []
    for name, value in given.items():
        field, *inner = (*path, name)
        field_problem: str
        if name not in known:
            field_problem = unknown_field(name, [*known, *besides])
        else:
            try:
                into[name] = read_plain(known[name], value)
                continue
            except WrongValue as error:
                field_problem = str(error)
        problems.append(entry.problem(field_problem, field=str(field), path=tuple(inner)))
    return problems
