"""A list is narrowed by its filters and its search, and by nothing else that an address names.

Django takes any lookup of any column from the address: ``?url__startswith=a`` tells a reader, letter by letter, what
the list does not show.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from unfold.views import ChangeList

#: So much is repeated of what somebody typed into the address.
_SHOWN = 60

#: No list has so many pages, and what is beyond them is no number to the server.
LAST_PAGE = 1_000_000


class DeclaredFiltersList(ChangeList):
    """Refuses an address that asks for more than the list's filters, and tells the reader what it was."""

    page_num: int

    def get_filters(self, request: HttpRequest) -> Any:
        """Return the filters; raises IncorrectLookupParameters, which leads to the list without any."""
        # By now the page number was read, and nothing else was done.
        self.page_num = min(self.page_num, LAST_PAGE)
        for name, values in self.get_filters_params().items():
            given = values if isinstance(values, list) else [values]
            if not self.model_admin.lookup_allowed(name, given[0], request) or any("\0" in str(each) for each in given):
                sentence = _("“%(name)s” is nothing that this list can be filtered by; it is shown without any filter.")
                messages.error(request, sentence % {"name": name.replace("\0", "")[:_SHOWN]})
                raise IncorrectLookupParameters
        return super().get_filters(request)


class DeclaredFiltersMixin:
    """An admin whose list takes the parameters of its ``list_filter`` only."""

    get_list_filter: Any

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Tell whether a parameter of the address belongs to a declared filter."""
        return any(lookup in _parameters(each) for each in self.get_list_filter(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that says what it does not take."""
        return DeclaredFiltersList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; the flag that another address was refused before is no news."""
        if "e" in request.GET and len(request.GET) > 1:
            # With the flag, Django would say that the database is broken.
            rest = request.GET.copy()
            del rest["e"]
            return HttpResponseRedirect(f"{request.path}?{rest.urlencode()}")
        response: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]  # laid over an admin
        return response


def _parameters(declared: Any) -> set[str | None]:
    if isinstance(declared, type) and issubclass(declared, SimpleListFilter):
        return {declared.parameter_name}
    # The filters of fields with choices and of booleans.
    return {f"{declared}__exact", f"{declared}__isnull"}
