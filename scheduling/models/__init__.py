"""What should run and when. These models know accounts; nothing here knows workers or alerts.

Foreign keys of live and history rows carry no database constraint: a constraint would lock the task row
for every instance, and would stop a whole partition from being dropped.
"""

from scheduling.models.backfill import Backfill
from scheduling.models.calendar import Calendar, CalendarRule
from scheduling.models.clock import TaskClock
from scheduling.models.instance import TaskInstance
from scheduling.models.period import SchedulePeriod
from scheduling.models.pool import Pool
from scheduling.models.queue import QueueEntry
from scheduling.models.revision import TaskRevision
from scheduling.models.run_key import RunKey
from scheduling.models.scheduler import Scheduler
from scheduling.models.statistics import StatDay, StatDelta, StatHour, StatSum, StatWindow
from scheduling.models.task import Task

__all__ = [
    "Backfill",
    "Calendar",
    "CalendarRule",
    "Pool",
    "QueueEntry",
    "RunKey",
    "SchedulePeriod",
    "Scheduler",
    "StatDay",
    "StatDelta",
    "StatHour",
    "StatSum",
    "StatWindow",
    "Task",
    "TaskClock",
    "TaskInstance",
    "TaskRevision",
]
