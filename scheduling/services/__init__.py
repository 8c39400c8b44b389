"""The verbs that people's interfaces call: admin, API, commands and code."""

from scheduling.services.calendars import delete_calendar, find_calendar_problems, find_calendars, save_calendar
from scheduling.services.instances import cancel_instances, rerun_instance
from scheduling.services.pools import delete_pool, find_pool, find_pool_problems, save_pool
from scheduling.services.problems import Problem
from scheduling.services.public_holidays import import_holidays
from scheduling.services.revisions import FieldChange, restore_revision, revision_changes
from scheduling.services.run import run_task, run_task_now
from scheduling.services.tasks import delete_task, duplicate_task, pause_task, resume_task, save_task
from scheduling.services.validation import find_problems, validate_task

__all__ = [
    "FieldChange",
    "Problem",
    "cancel_instances",
    "delete_calendar",
    "delete_pool",
    "delete_task",
    "duplicate_task",
    "find_calendar_problems",
    "find_calendars",
    "find_pool",
    "find_pool_problems",
    "find_problems",
    "import_holidays",
    "pause_task",
    "rerun_instance",
    "restore_revision",
    "resume_task",
    "revision_changes",
    "run_task",
    "run_task_now",
    "save_calendar",
    "save_pool",
    "save_task",
    "validate_task",
]
