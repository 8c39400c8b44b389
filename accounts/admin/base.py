"""What every admin page of a namespaced model does alike: who sees it, and who may do what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from typing import Any

from django.contrib.admin import ShowFacets
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.forms import Media, Script
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.admin import ModelAdmin

from accounts.admin.csv_export import Columns, export_list
from accounts.admin.declared_filters import DeclaredFiltersMixin
from accounts.admin.paging import UncountedChangeList
from accounts.models import User
from accounts.permissions import permitted_ids, visible_to
from accounts.roles import Action

_OBJECTS = "_rota_objects"

View = Callable[..., HttpResponse]


def may_somewhere(request: HttpRequest, action: Action) -> bool:
    """Tell whether the reader may do ``action`` in at least one namespace, or administers them all."""
    return _is_superuser(request) or bool(permitted_ids(request.user, action))


def may_in(request: HttpRequest, action: Action, namespace_id: int) -> bool:
    """Tell whether the reader may do ``action`` in this namespace."""
    # A superuser also reads what a namespace left behind that no longer exists.
    return _is_superuser(request) or namespace_id in permitted_ids(request.user, action)


def actor_of(request: HttpRequest) -> User:
    """Return the reader as the services want to know them."""
    assert isinstance(request.user, User)  # noqa: S101 - the admin lets nobody in who is not logged in
    return request.user


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


class RoleAwareAdmin(DeclaredFiltersMixin, ModelAdmin):
    """Shows the rows of the reader's namespaces, and asks their roles in them, not Django's permissions.

    Services check again with the same roles; what is decided here is what a page offers.
    """

    list_per_page = 50
    show_full_result_count = False
    #: Numbers beside the filters would count the whole table, once for each choice.
    show_facets = ShowFacets.NEVER
    list_before_template = "admin/list_pills.html"
    change_list_template = "admin/live_list.html"
    #: Whether an open list follows what happens.
    live_list = False
    #: What an empty list tells the reader to look at.
    empty_hint: object = ""
    #: What it takes to add, change and delete.
    changing = Action.ADMINISTER

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the reader may see."""
        return visible_to(request.user, super().get_queryset(request))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the object, read once for all that a page shows of it; None when the reader may not see it."""
        if request.method != "GET":
            return super().get_object(request, object_id, from_field)
        known: dict[tuple[str, str, str | None], Any] = request.__dict__.setdefault(_OBJECTS, {})
        key = (self.opts.label, str(object_id), from_field)
        if key not in known:
            known[key] = super().get_object(request, object_id, from_field)
        return known[key]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[UncountedChangeList]:
        """Return the list that counts nothing."""
        return UncountedChangeList

    @property
    def media(self) -> Media:
        """The scripts that keep open pages up to date."""
        inherited: Media = super().media
        modules: list[Any] = [Script(f"accounts/{name}.js", type="module") for name in ("live", "live_list")]
        return inherited + Media(js=modules)

    def csv_columns(self) -> Columns:
        """Return the columns of the list's CSV file; a list without any cannot be exported. To be overridden."""
        return {}

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the list's CSV file."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        exports = [path("export/", self.admin_site.admin_view(self._export), name=name)] if self.csv_columns() else []
        return [*exports, *super().get_urls()]

    def _export(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return export_list(self, request, self.csv_columns())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; to an open one that asks again, its rows only."""
        response: HttpResponse = super().changelist_view(request, extra_context)
        if "Rota-Fragment" in request.headers and isinstance(response, TemplateResponse):
            response.template_name = "admin/list_rows.html"
        return response

    def page_rows(self, request: HttpRequest, queryset: QuerySet[Any], first: int, last: int) -> list[Any]:
        """Return the rows of a list from ``first`` to before ``last``. To be overridden for a quicker way."""
        return list(queryset[first:last])

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Fetch what the rows of one page need beside themselves. To be overridden."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the field without the links to pages that add or change what it refers to."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the side bar and the index name this app."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Viewers and above."""
        return self._may(request, Action.VIEW, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Administrators of at least one namespace."""
        return self._may(request, self.changing, None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators."""
        return self._may(request, self.changing, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators."""
        return self._may(request, self.changing, obj)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Operators and above."""
        return self._may(request, Action.OPERATE, obj)

    def _may(self, request: HttpRequest, action: Action, obj: Any) -> bool:
        if obj is None or not isinstance(obj, Model):
            return may_somewhere(request, action)
        return may_in(request, action, obj.namespace_id)  # type: ignore[attr-defined]  # namespaced models only

    def post_urls(self, *views: tuple[str, View]) -> list[URLPattern]:
        """Return routes ``<id>/<name>/`` for views that change something, which therefore only take POST.

        Each view is called as ``view(request, obj)`` with an object that the reader may see.
        """
        info = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(self._posted(view)), name=f"{info}_{name}")
            for name, view in views
        ]

    def page_urls(self, *views: tuple[str, View]) -> list[URLPattern]:
        """Return routes ``<id>/<name>/`` for further pages about one object, or parts of one.

        Each view is called as ``view(request, obj)`` with an object that the reader may see.
        """
        info = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(self._found(view)), name=f"{info}_{name}")
            for name, view in views
        ]

    def _posted(self, view: View) -> View:
        found = self._found(view)

        def posted(request: HttpRequest, object_id: str) -> HttpResponse:
            return found(request, object_id) if request.method == "POST" else HttpResponseNotAllowed(["POST"])

        return update_wrapper(posted, view)

    def _found(self, view: View) -> View:
        def with_object(request: HttpRequest, object_id: str) -> HttpResponse:
            obj = self.get_object(request, object_id)
            if obj is None:
                response: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
                return response
            return view(request, obj)

        return update_wrapper(with_object, view)

    def back(self, request: HttpRequest, obj: Model | None = None) -> HttpResponseRedirect:
        """Return to the page that the request came from, else to the object's own page or the list."""
        referer = request.headers.get("Referer", "")
        if url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
            return HttpResponseRedirect(referer)
        info = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        if obj is not None and obj.pk is not None:
            return HttpResponseRedirect(reverse(f"{info}_change", args=[obj.pk]))
        return HttpResponseRedirect(reverse(f"{info}_changelist"))


class LedgerAdmin(RoleAwareAdmin):
    """Shows what happened. Nobody adds, changes or deletes it here; what can be done has an action."""

    list_disable_select_all = True
    #: Ordering other than the newest first would read the whole history.
    sortable_by: Sequence[str] = ()
    ordering: Sequence[str] = ("-id",)
    #: Fields that a page leaves out while this attribute of the row is empty.
    only_with: Mapping[str, str] = {}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the row; nobody edits it, so there is no history of edits to offer."""
        response: HttpResponse = super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), "show_history": False}
        )
        return response

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the groups without fields that say nothing about this row; a group of such alone is left out."""
        groups = [
            (title, {**options, "fields": [name for name in options["fields"] if self._speaks(name, obj)]})
            for title, options in super().get_fieldsets(request, obj)
        ]
        return [(title, options) for title, options in groups if options["fields"]]

    def _speaks(self, name: str, obj: Any) -> bool:
        return obj is None or name not in self.only_with or bool(getattr(obj, self.only_with[name]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False
