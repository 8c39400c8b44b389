"""Connections: the named databases of SQL tasks."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin.base import may_in
from accounts.admin.definitions import DefinitionAdmin
from accounts.admin.filters import NamespaceFilter
from accounts.roles import Action
from workers.admin.connection_form import ConnectionForm, masked_url
from workers.models import Connection


@admin.register(Connection)
class ConnectionAdmin(DefinitionAdmin):
    """The connections of the reader's namespaces; the passwords in them are never shown."""

    form = ConnectionForm
    list_display = ("name", "namespace", "url_shown")
    list_filter = (NamespaceFilter,)
    list_select_related = ("namespace",)
    search_fields = ("name",)
    search_help_text = _("Search by name")
    empty_hint = _("SQL tasks name a connection, so that no task holds a password.")
    ordering = ("namespace_id", "name")
    sortable_by = ("name",)
    actions = None
    fields = ("namespace", "name", "url")
    readonly_fields = ("url_shown",)

    @admin.display(description=_("URL"))
    def url_shown(self, connection: Connection) -> SafeString:
        """The URL, its password masked."""
        return format_html('<code class="rota-url">{}</code>', masked_url(connection.url))

    def get_fields(self, request: HttpRequest, obj: Connection | None = None) -> tuple[str, ...]:
        """Somebody who may only look never gets the URL itself."""
        if obj is not None and not self.has_change_permission(request, obj):
            return ("namespace", "name", "url_shown")
        return self.fields

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Write the URL on one line."""
        if db_field.name == "url":
            kwargs["widget"] = UnfoldAdminTextInputWidget({"class": "rota-code", "autocomplete": "off"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        """Store it, when the reader may change definitions of its namespace."""
        if not may_in(request, Action.ADMINISTER, obj.namespace_id):
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        """Return the visible connections with their namespaces."""
        return super().get_queryset(request).select_related("namespace")
