"""Pages of a list whose rows nobody has counted."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ORDER_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.paginator import InfinitePaginator

from accounts.admin.declared_filters import DeclaredFiltersList
from accounts.admin.filters import KnownChoiceFilter
from accounts.whole_numbers import whole_number

#: So much is shown of a value that somebody typed into the address.
_SHOWN = 60


class UncountedPaginator(InfinitePaginator):
    """Names the template of the page links. The list itself knows whether there is a next page."""

    template_name = "admin/uncounted_pagination.html"


class UncountedChangeList(DeclaredFiltersList):
    """Reads one row more than it shows, which answers "is there a next page?" without COUNT(*).

    On a history of millions of rows a count reads all of them; this reads one page. The admin's method
    ``page_rows(request, queryset, first, last)`` says how these rows are found, and ``prepare_rows(request, rows)`` can
    then fetch what they need, with one query for all of them.
    """

    has_next = False

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the rows of this page."""
        self.page_num = max(self.page_num, 1)
        size = self.list_per_page
        first = (self.page_num - 1) * size
        rows = self.model_admin.page_rows(request, self.queryset, first, first + size + 1)
        self.has_next = len(rows) > size
        self.result_list = rows[:size]
        self.model_admin.prepare_rows(request, self.result_list)
        # What was seen so far; shown nowhere.
        self.result_count = self.full_result_count = first + len(self.result_list)
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.result_list)
        self.can_show_all = False
        self.multi_page = self.page_num > 1 or self.has_next
        self.paginator = UncountedPaginator(self.result_list, size)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Return the order, by columns that are offered for sorting only: by another one a history is read whole."""
        asked = [each for each in self.params.pop(ORDER_VAR, "").split(".") if self._is_sortable(each)]
        self.filter_params.pop(ORDER_VAR, None)
        if asked:
            self.params[ORDER_VAR] = ".".join(asked)
            self.filter_params[ORDER_VAR] = [self.params[ORDER_VAR]]
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering

    def _is_sortable(self, column: str) -> bool:
        number = whole_number(column.removeprefix("-"), most=len(self.list_display) - 1)
        return number is not None and self.list_display[number] in self.sortable_by

    @property
    def previous_url(self) -> str | None:
        """The page before this one."""
        return self._url(self.page_num - 1) if self.page_num > 1 else None

    @property
    def next_url(self) -> str | None:
        """The page after this one."""
        return self._url(self.page_num + 1) if self.has_next else None

    @property
    def pills(self) -> list[dict[str, Any]]:
        """The choices of the filters that also stand above the list."""
        specs = [spec for spec in self.filter_specs if getattr(spec, "pills", False)]
        return [{"title": spec.title, "choices": list(spec.choices(self))} for spec in specs]

    @property
    def export_url(self) -> str:
        """The list as a CSV file, with the same filters; empty where there is none."""
        return f"export/{self.get_query_string(remove=['p', 'all'])}" if self.model_admin.csv_columns() else ""

    @property
    def not_understood(self) -> list[dict[str, str]]:
        """Each filter whose value in the address is none of its choices: a sentence, and the list without it."""
        return [_unknown(spec, self, value) for spec in self.filter_specs if (value := _unknown_value(spec, self))]

    @property
    def loosening(self) -> list[dict[str, str]]:
        """For an empty list: each thing that narrows it, and the address of the list without that."""
        found = []
        if self.query:
            words = _("search for “%(words)s”") % {"words": self.query}
            found.append({"words": words, "url": self.get_query_string(remove=["q", "p"])})
        for spec in self.filter_specs:
            if _unknown_value(spec, self):
                # Said already, and with other words.
                continue
            loosened = spec.loosened(self) if isinstance(spec, KnownChoiceFilter) else _loosened(spec, self)
            if loosened is not None:
                found.append({"words": loosened[0], "url": loosened[1]})
        return found

    def _url(self, page: int) -> str:
        url: str = self.get_query_string({"p": page})
        return url


def _loosened(spec: Any, changelist: UncountedChangeList) -> tuple[str, str] | None:
    """Return what one of Django's own filters narrows to, and the address without it."""
    names = list(spec.expected_parameters())
    if not any(name in changelist.params for name in names):
        return None
    chosen = next((str(each["display"]) for each in spec.choices(changelist) if each["selected"]), "")
    return f"{spec.title}: {chosen}", changelist.get_query_string(remove=[*names, "p"])


def _unknown_value(spec: Any, changelist: UncountedChangeList) -> str:
    """Return what the address gives a filter that offers no such choice; empty when all is well."""
    if isinstance(spec, KnownChoiceFilter):
        return spec.unknown() or ""
    given = [str(changelist.params[name]) for name in spec.expected_parameters() if name in changelist.params]
    return given[0] if given and not any(each["selected"] for each in spec.choices(changelist)) else ""


def _unknown(spec: Any, changelist: UncountedChangeList, value: str) -> dict[str, str]:
    params = {"value": value[:_SHOWN], "filter": spec.title}
    if isinstance(spec, KnownChoiceFilter):
        words = _("The filter “%(filter)s” has no choice “%(value)s”: the list is shown without it.") % params
    else:
        words = _("The filter “%(filter)s” has no choice “%(value)s”: nothing can match.") % params
    names = spec.expected_parameters()
    return {
        "words": words,
        "without": _("%(filter)s: %(value)s") % params,
        "url": changelist.get_query_string(remove=[*names, "p"]),
    }
