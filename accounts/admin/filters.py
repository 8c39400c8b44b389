"""The filters that lists of several apps share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.permissions import permitted_namespaces


class KnownChoiceFilter(admin.SimpleListFilter):
    """A filter that takes one of the values it offers; of any other the list says that it is shown without it."""

    #: Whether the choices also stand above the list, one click away.
    pills = False

    def chosen(self) -> str | None:
        """Return the value that was chosen, when it is one of those on offer."""
        value = self.value()
        return value if value in {str(key) for key, _label in self.lookup_choices} else None

    def has_output(self) -> bool:
        """Whether there is something to choose, or something was chosen that there is not."""
        return super().has_output() or self.unknown() is not None

    def unknown(self) -> str | None:
        """Return the value in the address that is none of those on offer; None for one that is, and for none."""
        value = self.value()
        return value if value and value not in {str(key) for key, _label in self.lookup_choices} else None

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield one link for each choice; the one for all is marked also when the address names none that there is."""
        for number, choice in enumerate(super().choices(changelist)):
            yield {**choice, "selected": self.unknown() is not None} if number == 0 and self.unknown() else choice

    def loosened(self, changelist: Any) -> tuple[str, str] | None:
        """Return what the filter narrows to, in words, and the address of the list without that; None if nothing."""
        chosen = self.chosen()
        if chosen is None:
            return None
        label = next(str(label) for key, label in self.lookup_choices if str(key) == chosen)
        return f"{self.title}: {label}", changelist.get_query_string(remove=[self.parameter_name or "", "p"])


class NamespaceFilter(KnownChoiceFilter):
    """The namespaces that the reader may see; not shown to somebody who sees only one."""

    title = _("namespace")
    parameter_name = "namespace"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the visible namespaces by id."""
        found = [(str(each.pk), str(each)) for each in permitted_namespaces(request.user)]
        return found if len(found) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        """Narrow to the chosen namespace."""
        chosen = self.chosen()
        return queryset if chosen is None else queryset.filter(namespace_id=int(chosen))
