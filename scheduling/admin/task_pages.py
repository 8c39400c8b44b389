"""The further pages of one task: its ledger, and a new backfill."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from scheduling.admin.backfill import backfill_page
from scheduling.admin.ledger import ledger_page
from scheduling.models import Task

Page = Callable[[ModelAdmin, HttpRequest, Task], HttpResponse]


def task_page_urls(model_admin: ModelAdmin) -> list[URLPattern]:
    """Return the routes ``<id>/ledger/`` and ``<id>/backfill/`` below the admin of tasks."""

    def route(name: str, page: Page) -> URLPattern:
        def view(request: HttpRequest, object_id: int) -> HttpResponse:
            task = model_admin.get_object(request, str(object_id))
            if task is None:
                gone: HttpResponse = model_admin._get_obj_does_not_exist_redirect(
                    request, model_admin.opts, str(object_id)
                )
                return gone
            return page(model_admin, request, task)

        wrapped = model_admin.admin_site.admin_view(view)
        made: URLPattern = path(f"<int:object_id>/{name}/", wrapped, name=f"scheduling_task_{name}")
        return made

    return [route("ledger", ledger_page), route("backfill", backfill_page)]
