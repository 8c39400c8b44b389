"""What charts and tables show of the past, the present and the next hour; each limited to what the reader may see.

Numbers of the past come from the statistics by hour and day, so they cost the same however long the history is. They
lag behind by a few seconds, until a scheduler has folded what ended last.
"""

from scheduling.statistics.figures import Counts
from scheduling.statistics.fires_by_hour import FiresByHour, fires_by_hour
from scheduling.statistics.hours import Ends, TaskOfHour, ends_by_hour, tasks_that_ended, tasks_that_fire
from scheduling.statistics.instances import Failure, latest_failures, recent_ends
from scheduling.statistics.outcomes import OutcomeSeries, OutcomeSlot, outcomes_over_time
from scheduling.statistics.queue import QueueHealth, queue_health
from scheduling.statistics.schedulers import SchedulersHealth, schedulers_health
from scheduling.statistics.scope import Scope, scope_of
from scheduling.statistics.shared_schedules import Schedule, schedules
from scheduling.statistics.tasks import TaskFigures, TaskOrder, task_figures
from scheduling.statistics.upcoming import UpcomingFire, upcoming_fires

__all__ = [
    "Counts",
    "Ends",
    "Failure",
    "FiresByHour",
    "OutcomeSeries",
    "OutcomeSlot",
    "QueueHealth",
    "Schedule",
    "SchedulersHealth",
    "Scope",
    "TaskFigures",
    "TaskOfHour",
    "TaskOrder",
    "UpcomingFire",
    "ends_by_hour",
    "fires_by_hour",
    "latest_failures",
    "outcomes_over_time",
    "queue_health",
    "recent_ends",
    "schedulers_health",
    "schedules",
    "scope_of",
    "task_figures",
    "tasks_that_ended",
    "tasks_that_fire",
    "upcoming_fires",
]
