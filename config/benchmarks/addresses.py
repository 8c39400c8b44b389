"""The pages and lists that the benchmark `pages` asks for: all that answer to GET, with each of their filters."""

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
        "readyz": "/readyz",
        "readyz_web": "/readyz?only=web",
        "healthz": "/healthz",
    }


#: Where an answer may be another than 200: no scheduler runs beside the benchmark, and `/readyz` says so.
MAY_BE_UNAVAILABLE = frozenset({"readyz"})


def _admin(known: Installation) -> dict[str, str]:
    return {
        **_overviews(),
        **_tasks(known),
        **_instances(known),
        **_executions(known),
        **_others(known),
    }


def _overviews() -> dict[str, str]:
    now = timezone.now()
    coming, past = (f"{now + timedelta(days=days):%Y-%m-%dT}10&hours=1" for days in (1, -1))
    return {
        "overview": "",
        "overview_7d": "?range=7d",
        "overview_30d": "?range=30d",
        "dashboard": "dashboard/",
        "dashboard_30d": "dashboard/?range=30d",
        "dashboard_now": "dashboard/?part=now",
        "fleet_calendar": "fleet-calendar/",
        "fleet_calendar_coming_hour": f"fleet-calendar/?of=coming&hour={coming}",
        "fleet_calendar_this_hour": f"fleet-calendar/?of=coming&hour={now:%Y-%m-%dT%H}&hours=1",
        "fleet_calendar_past_hour": f"fleet-calendar/?of=past&hour={past}",
        "fleet_calendar_last_hour": f"fleet-calendar/?of=past&hour={now:%Y-%m-%dT%H}&hours=1",
        "preferences": "preferences/",
        "password_change": "password_change/",
        "search": "search/?s=task",
    }


def _tasks(known: Installation) -> dict[str, str]:
    task = f"{_TASKS}{known.task_id}/"
    filters = {
        "enabled": "state=enabled",
        "paused": "state=paused",
        "finished": "state=finished",
        "in_error": "state=error",
        "of_handler": "handler=python",
        "of_unused_handler": "handler=shell",
        "of_trigger": "trigger__exact=cron",
        "of_rare_trigger": "trigger__exact=once",
        "of_queue": "queue=default",
        "of_namespace": f"namespace={known.namespace_id}",
        "search": "q=task+77",
        "search_number": "q=7777",
        "search_nothing": "q=nobody",
        "search_enabled": "q=task+77&state=enabled",
        "last_page": "p=10",
        "by_name_backwards": "o=-1",
    }
    return {
        "tasks": _TASKS,
        **{f"tasks_{name}": f"{_TASKS}?{query}" for name, query in filters.items()},
        "tasks_export": f"{_TASKS}export/",
        "tasks_export_search": f"{_TASKS}export/?q=task+77",
        "task_add": f"{_TASKS}add/?handler=python",
        "task": f"{task}change/",
        "task_live": f"{task}live/",
        "task_ledger": f"{task}ledger/",
        "task_revisions": f"{task}revisions/",
        "task_run_with": f"{task}run_with/",
        "task_backfill": f"{task}backfill/",
        "task_history": f"{task}history/",
        "task_delete": f"{task}delete/",
    }


def _instances(known: Installation) -> dict[str, str]:
    instance = f"{_INSTANCES}{known.ended_id}/"
    states = ("waiting", "ready", "running", "retrying", "planned", "succeeded", "failed", "cancelled", "skipped")
    filters = {
        **{f"in_{span}": f"range={span}" for span in ("1h", "7d", "30d")},
        "any_time": "range=all",
        **{state: f"state={state}" for state in states},
        **{f"{state}_30d": f"state={state}&range=30d" for state in states[5:]},
        **{f"{state}_any_time": f"state={state}&range=all" for state in states[5:]},
        "failed_since_yesterday": "failed=yesterday",
        "of_task": f"task={known.task_id}&range=all",
        "failed_of_task": f"task={known.task_id}&range=all&state=failed",
        "of_namespace": f"namespace={known.namespace_id}&range=30d",
        "of_queue": "queue=default&range=30d",
        "of_node": f"node={known.node_id}&range=30d",
        "of_node_any_time": f"node={known.node_id}&range=all",
        "failed_of_node": f"node={known.node_id}&state=failed&range=30d",
        "of_pool": f"pool={known.pool_id}",
        "by_hand_30d": "origin__exact=manual&range=30d",
        "by_number": f"q={known.ended_id}",
        "by_name": "q=task+77&range=30d",
        "by_name_any_time": "q=task+77&range=all",
        "failed_by_name": "q=task+77&range=30d&state=failed",
        "by_nobodys_name": "q=nobody&range=all",
        "page_20": "range=30d&p=20",
    }
    return {
        "instances": _INSTANCES,
        **{f"instances_{name}": f"{_INSTANCES}?{query}" for name, query in filters.items()},
        "instances_export": f"{_INSTANCES}export/",
        "instances_export_30d": f"{_INSTANCES}export/?range=30d",
        "instances_export_failed": f"{_INSTANCES}export/?state=failed&range=30d",
        "instance_ended": f"{instance}change/",
        "instance_history": f"{instance}history/",
        "instance_running": f"{_INSTANCES}{known.running_id}/change/",
        "instance_waiting": f"{_INSTANCES}{known.waiting_id}/change/",
        "instance_live": f"{_INSTANCES}{known.waiting_id}/live/",
    }


def _executions(known: Installation) -> dict[str, str]:
    execution = f"{_EXECUTIONS}{known.execution_id}/"
    states = ("running", "succeeded", "failed", "lost", "cancelled")
    filters = {
        **{f"in_{span}": f"range={span}" for span in ("1h", "7d", "30d")},
        "any_time": "range=all",
        **{state: f"state={state}" for state in states},
        **{f"{state}_30d": f"state={state}&range=30d" for state in states},
        **{f"{state}_any_time": f"state={state}&range=all" for state in states},
        "of_node": f"node={known.node_id}&range=30d",
        "of_node_any_time": f"node={known.node_id}&range=all",
        "of_task": f"task={known.task_id}&range=30d",
        "of_task_any_time": f"task={known.task_id}&range=all",
        "of_namespace": f"namespace={known.namespace_id}&range=30d",
        "of_instance": f"instance={known.ended_id}&range=all",
        "by_number": f"q={known.execution_id}&range=all",
        "by_name": "q=task+77&range=30d",
    }
    return {
        "executions": _EXECUTIONS,
        **{f"executions_{name}": f"{_EXECUTIONS}?{query}" for name, query in filters.items()},
        "executions_export": f"{_EXECUTIONS}export/",
        "executions_export_30d": f"{_EXECUTIONS}export/?range=30d",
        "execution": f"{execution}change/",
        "execution_history": f"{execution}history/",
        "log": f"{execution}log/",
        "log_end": f"{execution}log/?end",
        "log_download": f"{execution}log/download/",
    }


def _others(known: Installation) -> dict[str, str]:
    return {
        "nodes": "workers/node/",
        "nodes_online": "workers/node/?health=online",
        "nodes_lost": "workers/node/?health=lost",
        "nodes_of_queue": "workers/node/?queue=default",
        "nodes_search": "workers/node/?q=machine-1",
        "nodes_export": "workers/node/export/",
        "node": f"workers/node/{known.node_id}/change/",
        "node_live": f"workers/node/{known.node_id}/live/",
        "schedulers": "scheduling/scheduler/",
        "calendars": "scheduling/calendar/",
        "calendars_search": "scheduling/calendar/?q=days",
        "calendar_add": "scheduling/calendar/add/",
        "calendar": f"scheduling/calendar/{known.calendar_id}/change/",
        "calendar_month": f"scheduling/calendar/{known.calendar_id}/month/",
        "calendar_holidays": f"scheduling/calendar/{known.calendar_id}/holidays/",
        "pools": "scheduling/pool/",
        "pool_add": "scheduling/pool/add/",
        "pool": f"scheduling/pool/{known.pool_id}/change/",
        "pool_delete": f"scheduling/pool/{known.pool_id}/delete/",
        "backfills": "scheduling/backfill/",
        "backfills_of_task": f"scheduling/backfill/?task={known.task_id}",
        "connections": "workers/connection/",
        "connection_add": "workers/connection/add/",
        "namespaces": "accounts/namespace/",
        "namespace": f"accounts/namespace/{known.namespace_id}/change/",
        "users": "accounts/user/",
        "users_active": "accounts/user/?is_active__exact=1",
    }


def _api(known: Installation) -> dict[str, str]:
    now = timezone.now()
    month = urlencode({"from": (now - timedelta(days=30)).isoformat(), "until": now.isoformat()})
    week = urlencode({"scheduled_from": (now - timedelta(days=7)).isoformat(), "scheduled_to": now.isoformat()})
    tasks = {
        "search": "search=task+77",
        "search_nothing": "search=nobody",
        "by_name": "name=task+77",
        **{f"in_state_{state}": f"state={state}" for state in ("enabled", "paused", "finished", "error")},
        "of_handler": "handler=python",
        "of_unused_handler": "handler=shell",
        "of_queue": "queue=default",
        "of_pool": "pool=pool+1",
        "of_trigger": "trigger=once",
        "enabled": "enabled=true",
        "of_namespace": f"namespace={known.namespace}",
    }
    states = ("waiting", "ready", "running", "succeeded", "failed", "cancelled", "skipped")
    instances = {
        **{state: f"state={state}" for state in states},
        "of_task": f"task={known.task_id}",
        "failed_of_task": f"task={known.task_id}&state=failed",
        "of_task_name": "task_name=task+77",
        "of_nobodys_name": "task_name=nobody",
        "of_handler": "handler=python",
        "of_unused_handler": "handler=shell",
        "of_queue": "queue=default",
        "of_pool": "pool=pool+0",
        "of_namespace": f"namespace={known.namespace}",
        "by_hand": "origin=manual",
        "of_backfill": "backfill=1",
        "rerun_of": f"rerun_of={known.ended_id}",
        "of_week": week,
        "failed_of_week": f"{week}&state=failed",
    }
    executions = {
        **{state: f"state={state}" for state in ("running", "succeeded", "failed", "lost", "cancelled")},
        "of_instance": f"instance={known.ended_id}",
        "of_task": f"task={known.task_id}",
        "of_task_name": "task_name=task+77",
        "of_handler": "handler=python",
        "of_unused_handler": "handler=shell",
        "of_node": "node=machine-0",
        "failed_of_node": "node=machine-0&state=failed",
        "of_namespace": f"namespace={known.namespace}",
        "of_week": week,
    }
    return {
        "me": "me/",
        "schema": "schema/",
        "tasks": "tasks/",
        **{f"tasks_{name}": f"tasks/?{query}" for name, query in tasks.items()},
        "task": f"tasks/{known.task_id}/",
        "task_preview": f"tasks/{known.task_id}/preview/",
        "task_ledger": f"tasks/{known.task_id}/ledger/?{month}",
        "task_statistics": f"tasks/{known.task_id}/statistics/",
        "calendars": "calendars/",
        "calendar": f"calendars/{known.calendar_id}/",
        "pools": "pools/",
        "pool": f"pools/{known.pool_id}/",
        "instances": "instances/",
        **{f"instances_{name}": f"instances/?{query}" for name, query in instances.items()},
        "instance": f"instances/{known.ended_id}/",
        "instance_running": f"instances/{known.running_id}/",
        "instance_waiting": f"instances/{known.waiting_id}/",
        "executions": "executions/",
        **{f"executions_{name}": f"executions/?{query}" for name, query in executions.items()},
        "execution": f"executions/{known.execution_id}/",
        "execution_log": f"executions/{known.execution_id}/log/",
        "execution_log_index": f"executions/{known.execution_id}/log/index/",
        "execution_log_search": f"executions/{known.execution_id}/log/search/?text=nobody",
        "nodes": "nodes/",
        "schedulers": "schedulers/",
        "backfills": "backfills/",
        "handlers": "handlers/",
        "definitions": "definitions/export/?task=task+77",
        **_statistics(known),
    }


def _statistics(known: Installation) -> dict[str, str]:
    whose = {"": "", "_of_task": f"&task={known.task_id}", "_of_namespace": f"&namespace={known.namespace}"}
    elsewhere = "&timezone=Asia/Kathmandu"
    spans = ("24h", "7d", "30d")
    found = {
        "statistics_health": "statistics/health/",
        "statistics_health_of_namespace": f"statistics/health/?namespace={known.namespace}",
    }
    for name, query in whose.items():
        for span in spans:
            found[f"statistics_outcomes_{span}{name}"] = f"statistics/outcomes/?range={span}{query}"
            for order in ("busiest", "failing", "slowest"):
                found[f"statistics_tasks_{span}_{order}{name}"] = (
                    f"statistics/tasks/?range={span}&order={order}&limit=100{query}"
                )
        found[f"statistics_upcoming{name}"] = f"statistics/upcoming/?limit=1000{query}"
        found[f"statistics_failures{name}"] = f"statistics/failures/?limit=100{query}"
    for span in spans:
        found[f"statistics_outcomes_{span}_elsewhere"] = f"statistics/outcomes/?range={span}{elsewhere}"
        found[f"statistics_tasks_{span}_elsewhere"] = f"statistics/tasks/?range={span}{elsewhere}"
    return found
