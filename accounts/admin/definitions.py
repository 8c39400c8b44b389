"""What the pages of definitions do alike: administrators of a namespace write them, and they stay there."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.admin.base import RoleAwareAdmin
from accounts.permissions import permitted_namespaces
from accounts.roles import Action


class DefinitionAdmin(RoleAwareAdmin):
    """Adds and changes what belongs to a namespace."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What is stored stays in its namespace: its history, what uses it and its readers are there."""
        fixed = tuple(self.readonly_fields)
        return fixed if obj is None else ("namespace", *fixed)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only namespaces in which the reader may change definitions."""
        if db_field.name == "namespace":
            kwargs["queryset"] = permitted_namespaces(request.user, Action.ADMINISTER).distinct()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill in the namespace when there is one only."""
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        allowed = list(permitted_namespaces(request.user, Action.ADMINISTER)[:2])
        return initial | ({"namespace": allowed[0].pk} if len(allowed) == 1 else {})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form with its `page_facts`; what turns out wrong only when it is stored is a message."""
        found = self.get_object(request, object_id) if object_id else None
        context = {**(extra_context or {}), **self.page_facts(request, found)}
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
        except ValidationError as error:
            # Sound when the form was checked and not any more when it was stored, such as a name just taken.
            messages.error(request, " ".join(error.messages))
            return HttpResponseRedirect(request.get_full_path())
        return response

    def page_facts(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Return what the form's page shows beside the form; ``obj`` is None on the page that adds one."""
        return {}
