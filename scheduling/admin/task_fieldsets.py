"""How the fields of a task are grouped: what, when, by which rules, within which limits."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from scheduling.admin.params_form import ParamsForm
from scheduling.domain.handlers import catalogue

Fieldsets = list[tuple[Any, dict[str, Any]]]

WHEN = ("trigger", "cron_expression", "timezone", "every_seconds", "run_at", "delay_seconds")
WHEN_IN_DETAIL = ("starts_at", "ends_at", "anchor_at", "jitter_seconds", "calendars", "dst_gap", "dst_fold")
POLICIES = ("overlap", "catch_up", "queue", "priority")
POLICIES_IN_DETAIL = ("on_worker_lost", "misfire_grace_seconds", "max_catch_up")
LIMITS = ("max_running", "pool", "pool_weight", "timeout_seconds")
LIMITS_IN_DETAIL = ("concurrency_key", "soft_timeout_seconds", "kill_grace_seconds")
PROCESS_LIMITS = ("max_processes", "max_memory_mb", "max_cpu_seconds")
RETRIES = ("max_attempts", "retry_backoff", "retry_delay_seconds", "retry_max_delay_seconds", "retry_delays")
RETRIES_IN_DETAIL = ("retry_on", "give_up_on")


def task_fieldsets(params: ParamsForm | None, handler: str, handler_label: str) -> Fieldsets:
    """Return the groups of the form for a task; the params stand right after what they belong to."""
    folded = params.folded() if params else []
    names = [name for name in params.names() if name not in folded] if params else ["params"]
    return [
        (_("What"), {"fields": ("namespace", "name", "description", "enabled", "handler", "seen")}),
        (handler_label, {"fields": names, "classes": ("rota-params",)}),
        *([(_("More params"), {"fields": folded, "classes": ("collapse",)})] if folded else []),
        *_rules(handler),
    ]


def read_only_fieldsets(handler: str, handler_label: str) -> Fieldsets:
    """Return the groups for somebody who may look at the task and not change it."""
    return [
        (_("What"), {"fields": ("namespace", "name", "description", "enabled")}),
        (handler_label, {"fields": ("params_shown",)}),
        *_rules(handler),
    ]


def _rules(handler: str) -> Fieldsets:
    spec = catalogue.get(handler)
    # Limits of processes are offered where there can be processes.
    limits = LIMITS_IN_DETAIL if spec is not None and not spec.runs_processes else LIMITS_IN_DETAIL + PROCESS_LIMITS
    return [
        (_("When"), {"fields": WHEN, "classes": ("rota-when",)}),
        (_("When, in detail"), {"fields": WHEN_IN_DETAIL, "classes": ("collapse", "rota-when")}),
        (_("Policies"), {"fields": POLICIES}),
        (_("Policies, in detail"), {"fields": POLICIES_IN_DETAIL, "classes": ("collapse",)}),
        (_("Limits"), {"fields": LIMITS}),
        (_("Limits, in detail"), {"fields": limits, "classes": ("collapse",)}),
        (_("Retries"), {"fields": RETRIES}),
        (_("Retries, in detail"), {"fields": RETRIES_IN_DETAIL, "classes": ("collapse",)}),
    ]
