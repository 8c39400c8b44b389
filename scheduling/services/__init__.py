"""The verbs that people's interfaces call: admin, API, commands and code."""

from scheduling.services.instances import cancel_instances, rerun_instance
from scheduling.services.run import run_task, run_task_now
from scheduling.services.tasks import delete_task, duplicate_task, pause_task, resume_task, save_task
from scheduling.services.validation import Problem, find_problems, validate_task

__all__ = [
    "Problem",
    "cancel_instances",
    "delete_task",
    "duplicate_task",
    "find_problems",
    "pause_task",
    "rerun_instance",
    "resume_task",
    "run_task",
    "run_task_now",
    "save_task",
    "validate_task",
]
