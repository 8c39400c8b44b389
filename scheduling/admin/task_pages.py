"""The further pages of one task: its ledger, its versions, a run with other params, and a new backfill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from scheduling.admin.backfill import backfill_page
from scheduling.admin.ledger import ledger_page
from scheduling.admin.run_with import run_with_page
from scheduling.admin.task_revisions import revisions_page
from scheduling.models import Task

Page = Callable[[Any, HttpRequest, Task], HttpResponse]


def task_page_urls(model_admin: ModelAdmin) -> list[URLPattern]:
    """Return a route ``<id>/<page>/`` for each page, below the admin of tasks."""

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

    return [
        route("ledger", ledger_page),
        route("revisions", revisions_page),
        route("run_with", run_with_page),
        route("backfill", backfill_page),
    ]
