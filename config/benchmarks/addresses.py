"""The pages and lists that the benchmark `pages` asks for."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.utils import timezone

from config.benchmarks.installation import Installation

_INSTANCES, _EXECUTIONS, _TASKS = "scheduling/taskinstance/", "workers/execution/", "scheduling/task/"


def addresses(known: Installation) -> dict[str, str]:
    """Return each address under the name that its figures have."""
    return {
        **{f"admin_{name}": f"/admin/{rest}" for name, rest in _admin(known).items()},
        **{f"api_{name}": f"/api/v1/{rest}" for name, rest in _api(known).items()},
        "metrics": "/metrics",
    }


def _admin(known: Installation) -> dict[str, str]:
    task, instance = f"{_TASKS}{known.task_id}/", f"{_INSTANCES}{known.ended_id}/"
    return {
        "overview": "",
        "overview_30d": "?range=30d",
        "dashboard": "dashboard/",
        "dashboard_30d": "dashboard/?range=30d",
        "dashboard_now": "dashboard/?part=now",
        "fleet_calendar": "fleet-calendar/",
        "tasks": _TASKS,
        "tasks_enabled": f"{_TASKS}?state=enabled",
        "tasks_search": f"{_TASKS}?q=task+77",
        "tasks_last_page": f"{_TASKS}?p=10",
        "task": f"{task}change/",
        "task_ledger": f"{task}ledger/",
        "task_revisions": f"{task}revisions/",
        "instances": _INSTANCES,
        "instances_7d": f"{_INSTANCES}?range=7d",
        "instances_30d": f"{_INSTANCES}?range=30d",
        "instances_any_time": f"{_INSTANCES}?range=all",
        "instances_waiting": f"{_INSTANCES}?state=waiting",
        "instances_running": f"{_INSTANCES}?state=running",
        "instances_failed": f"{_INSTANCES}?state=failed",
        "instances_failed_30d": f"{_INSTANCES}?state=failed&range=30d",
        "instances_cancelled": f"{_INSTANCES}?state=cancelled",
        "instances_cancelled_30d": f"{_INSTANCES}?state=cancelled&range=30d",
        "instances_cancelled_any_time": f"{_INSTANCES}?state=cancelled&range=all",
        "instances_skipped_30d": f"{_INSTANCES}?state=skipped&range=30d",
        "instances_failed_since_yesterday": f"{_INSTANCES}?failed=yesterday",
        "instances_of_task": f"{_INSTANCES}?task={known.task_id}&range=all",
        "instances_failed_of_task": f"{_INSTANCES}?task={known.task_id}&range=all&state=failed",
        "instances_of_queue": f"{_INSTANCES}?queue=default&range=30d",
        "instances_of_pool": f"{_INSTANCES}?pool={known.pool_id}",
        "instances_by_hand_30d": f"{_INSTANCES}?origin__exact=manual&range=30d",
        "instances_by_number": f"{_INSTANCES}?q={known.ended_id}",
        "instances_by_name": f"{_INSTANCES}?q=task+77&range=30d",
        "instances_by_nobodys_name": f"{_INSTANCES}?q=nobody&range=all",
        "instance_ended": f"{instance}change/",
        "instance_running": f"{_INSTANCES}{known.running_id}/change/",
        "instance_waiting": f"{_INSTANCES}{known.waiting_id}/change/",
        "instance_live": f"{_INSTANCES}{known.waiting_id}/live/",
        "executions": _EXECUTIONS,
        "executions_30d": f"{_EXECUTIONS}?range=30d",
        "executions_any_time": f"{_EXECUTIONS}?range=all",
        "executions_running": f"{_EXECUTIONS}?state=running",
        "executions_failed_30d": f"{_EXECUTIONS}?state=failed&range=30d",
        "executions_lost_30d": f"{_EXECUTIONS}?state=lost&range=30d",
        "executions_of_node": f"{_EXECUTIONS}?node={known.node_id}&range=30d",
        "executions_of_task": f"{_EXECUTIONS}?task={known.task_id}&range=30d",
        "executions_of_instance": f"{_EXECUTIONS}?instance={known.ended_id}&range=all",
        "executions_by_number": f"{_EXECUTIONS}?q={known.execution_id}&range=all",
        "execution": f"{_EXECUTIONS}{known.execution_id}/change/",
        "log": f"{_EXECUTIONS}{known.execution_id}/log/",
        "log_end": f"{_EXECUTIONS}{known.execution_id}/log/?end",
        "nodes": "workers/node/",
        "node": f"workers/node/{known.node_id}/change/",
        "schedulers": "scheduling/scheduler/",
        "calendars": "scheduling/calendar/",
        "calendar": f"scheduling/calendar/{known.calendar_id}/change/",
        "pools": "scheduling/pool/",
        "pool": f"scheduling/pool/{known.pool_id}/change/",
        "backfills": "scheduling/backfill/",
        "connections": "workers/connection/",
        "namespaces": "accounts/namespace/",
        "users": "accounts/user/",
    }


def _api(known: Installation) -> dict[str, str]:
    now = timezone.now()
    month = urlencode({"from": (now - timedelta(days=30)).isoformat(), "until": now.isoformat()})
    return {
        "tasks": "tasks/",
        "tasks_search": "tasks/?search=task+77",
        "tasks_finished": "tasks/?state=finished",
        "task": f"tasks/{known.task_id}/",
        "task_ledger": f"tasks/{known.task_id}/ledger/?{month}",
        "task_statistics": f"tasks/{known.task_id}/statistics/",
        "calendars": "calendars/",
        "pools": "pools/",
        "instances": "instances/",
        "instances_waiting": "instances/?state=waiting",
        "instances_failed": "instances/?state=failed",
        "instances_cancelled": "instances/?state=cancelled",
        "instances_of_task": f"instances/?task={known.task_id}",
        "instances_of_task_name": "instances/?task_name=task+77",
        "instances_of_handler": "instances/?handler=python",
        "instances_of_unused_handler": "instances/?handler=shell",
        "instances_of_queue": "instances/?queue=default",
        "instances_by_hand": "instances/?origin=manual",
        "instances_rerun_of": f"instances/?rerun_of={known.ended_id}",
        "instance": f"instances/{known.ended_id}/",
        "instance_waiting": f"instances/{known.waiting_id}/",
        "executions": "executions/",
        "executions_running": "executions/?state=running",
        "executions_failed": "executions/?state=failed",
        "executions_lost": "executions/?state=lost",
        "executions_of_instance": f"executions/?instance={known.ended_id}",
        "executions_of_task": f"executions/?task={known.task_id}",
        "executions_of_node": "executions/?node=machine-0",
        "execution": f"executions/{known.execution_id}/",
        "execution_log": f"executions/{known.execution_id}/log/",
        "nodes": "nodes/",
        "schedulers": "schedulers/",
        "backfills": "backfills/",
        "handlers": "handlers/",
        "statistics_health": "statistics/health/",
        "statistics_outcomes": "statistics/outcomes/?range=30d",
        "statistics_tasks": "statistics/tasks/?range=30d",
        "statistics_slowest_tasks": "statistics/tasks/?range=30d&order=slowest",
        "statistics_upcoming": "statistics/upcoming/",
        "statistics_failures": "statistics/failures/",
    }
