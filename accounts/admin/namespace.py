"""Namespaces, and who belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline

from accounts.admin.cells import moment
from accounts.admin.declared_filters import DeclaredFiltersMixin
from accounts.admin.labelled_rows import label_controls
from accounts.models import Membership, Namespace
from accounts.permissions import permitted_ids, permitted_namespaces

if TYPE_CHECKING:
    MembershipModelForm = forms.ModelForm[Membership]
else:
    # Django's own classes are generic for type checkers only.
    MembershipModelForm = forms.ModelForm


class SuperuserChangesMixin:
    """Only superusers change who may what; otherwise a role could raise itself."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers."""
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers."""
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers."""
        return _is_superuser(request)


class MembershipForm(MembershipModelForm):
    """Who may what where, as one row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label_controls(self)


class MembershipInline(SuperuserChangesMixin, TabularInline):
    """The members of one namespace, or the namespaces of one user."""

    model = Membership
    form = MembershipForm
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the page."""
        return True


@admin.register(Namespace)
class NamespaceAdmin(SuperuserChangesMixin, DeclaredFiltersMixin, ModelAdmin):
    """The tenants that the reader belongs to."""

    list_display = ("name", "title", "created")
    fields = ("name", "title")
    search_fields = ("name", "title")
    inlines = (MembershipInline,)
    list_before_template = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Namespace]:
        """Return the namespaces that the reader may see."""
        return permitted_namespaces(request.user).distinct()

    @admin.display(description=gettext_lazy("created at"), ordering="created_at")
    def created(self, namespace: Namespace) -> SafeString:
        """When it was made."""
        return moment(namespace.created_at)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever belongs to a namespace."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Namespace | None = None) -> bool:
        """Members see their namespaces."""
        if _is_superuser(request):
            return True
        found = permitted_ids(request.user)
        return bool(found) if obj is None else obj.pk in found

    def get_readonly_fields(self, request: HttpRequest, obj: Namespace | None = None) -> tuple[str, ...]:
        """A name is an address: integrations and connections use it, so it stays."""
        return () if obj is None else ("name",)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))
