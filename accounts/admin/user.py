"""Users. What they may do follows from their memberships, so Django's groups and permissions are not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.admin.cells import moment
from accounts.admin.declared_filters import DeclaredFiltersMixin
from accounts.admin.namespace import MembershipInline, SuperuserChangesMixin
from accounts.models import User

if TYPE_CHECKING:
    UserPages = DjangoUserAdmin[User]
else:
    # Django's own classes are generic for type checkers only.
    UserPages = DjangoUserAdmin

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(SuperuserChangesMixin, DeclaredFiltersMixin, UserPages, ModelAdmin):
    """The people and systems that log in; for superusers only."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_superuser", "last_seen")
    list_filter = ("is_staff", "is_superuser", "is_active")
    filter_horizontal = ()
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email", "language", "time_zone")}),
        (
            _("Access"),
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": _(
                    "Staff may log in here and see the namespaces that they are members of. "
                    "Superusers may do everything everywhere."
                ),
            },
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined"), "classes": ("collapse",)}),
    )
    readonly_fields = ("last_login", "date_joined")

    @admin.display(description=_("last login"), ordering="last_login")
    def last_seen(self, user: User) -> SafeString:
        """When they logged in."""
        return moment(user.last_login)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Superusers."""
        return self.has_change_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers."""
        return self.has_change_permission(request, obj)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> tuple[type[MembershipInline], ...]:
        """Memberships are given once the user exists."""
        return () if obj is None else self.inlines
