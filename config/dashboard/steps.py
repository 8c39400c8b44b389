"""What to do first: the way from an empty installation to a task that has run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from scheduling.statistics import SchedulersHealth
from workers.statistics import NodesHealth


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing to do, and whether it is done."""

    done: bool
    title: str
    text: str
    #: To be typed into a terminal.
    command: str = ""
    #: Where it is done in the admin, and what the button says.
    url: str = ""
    button: str = ""


def first_steps(
    schedulers: SchedulersHealth, nodes: NodesHealth, *, has_task: bool, may_add_task: bool
) -> Sequence[Step]:
    """Return the steps in order. The last one is done when charts have something to show."""
    create = _("A task says what is run and when.")
    if not may_add_task:
        create = _("An administrator of your namespace can create one.")
    return [
        Step(
            done=schedulers.online > 0,
            title=_("Start a scheduler"),
            text=_("It turns what is due into work. Several may run at once."),
            command="python manage.py runscheduler",
        ),
        Step(
            done=nodes.online > 0,
            title=_("Start a worker"),
            text=_("It runs the work, on this machine or any other that reaches the database."),
            command="python manage.py runworker --handlers http,sql,python",
        ),
        Step(
            done=has_task,
            title=_("Create a task"),
            text=create,
            url=reverse("admin:scheduling_task_add") if may_add_task and not has_task else "",
            button=_("Create a task"),
        ),
        Step(
            done=False,
            title=_("Let it run"),
            text=_("By its schedule, or at once: press Run now on its page. Seconds later the charts begin here."),
            url=reverse("admin:scheduling_task_changelist") if has_task else "",
            button=_("Tasks"),
        ),
    ]
