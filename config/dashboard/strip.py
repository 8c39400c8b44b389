"""The health strip: what is looked at first, each a number, a word for how it stands and the list behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin.cells import NOTHING, Tone, length
from scheduling.conf import conf
from scheduling.statistics import QueueHealth, SchedulersHealth
from workers.statistics import NodesHealth

#: The shape that says the same as the colour.
ICONS = {Tone.GOOD: "check_circle", Tone.WARN: "warning", Tone.BAD: "error", Tone.CALM: "radio_button_unchecked"}

#: So late (seconds) is worth a look; how late is too late, SCHEDULING["READY_LAG_SECONDS"] says.
NOTEWORTHY_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Vital:
    """One number of the strip."""

    key: str
    label: str
    value: str
    #: How it stands, in a word or two.
    word: str
    tone: Tone
    #: The list behind it.
    url: str
    #: What is wrong and what to do, when it is not well.
    advice: str = ""

    @property
    def icon(self) -> str:
        """The name of the symbol that goes with the word."""
        return ICONS[self.tone]

    @property
    def is_well(self) -> bool:
        """Whether nobody has to look."""
        return self.tone in {Tone.GOOD, Tone.CALM}


def health_strip(queue: QueueHealth, schedulers: SchedulersHealth, nodes: NodesHealth) -> Sequence[Vital]:
    """Return the vitals in the order in which they are read."""
    return [
        _schedulers(schedulers),
        _workers(nodes),
        _lag(queue),
        _depth(queue),
        _oldest(queue),
        _running(queue, nodes),
        _failures(queue),
    ]


def _schedulers(found: SchedulersHealth) -> Vital:
    word, tone, advice = _("alive"), Tone.GOOD, ""
    if not found.online:
        word, tone = _("none alive"), Tone.BAD
        advice = _("No scheduler is alive: nothing becomes due. Start manage.py runscheduler.")
    elif found.lost_lately:
        word, tone = _("%(n)d lost") % {"n": found.lost_lately}, Tone.WARN
        advice = ngettext(
            "%(n)d scheduler went silent within the last day; the others do its work.",
            "%(n)d schedulers went silent within the last day; the others do their work.",
            found.lost_lately,
        ) % {"n": found.lost_lately}
    return Vital(
        key="schedulers",
        label=_("Schedulers"),
        value=str(found.online),
        word=word,
        tone=tone,
        url=reverse("admin:scheduling_scheduler_changelist"),
        advice=advice,
    )


def _workers(found: NodesHealth) -> Vital:
    word, tone, advice = _("alive"), Tone.GOOD, ""
    if not found.online + found.draining:
        word, tone = _("none alive"), Tone.BAD
        advice = _("No worker is alive: nothing runs. Start manage.py runworker.")
    elif not found.online:
        word, tone = _("all drain"), Tone.WARN
        advice = _("Every worker drains: nothing new is started. Resume one, or start another.")
    elif found.lost_lately:
        word, tone = _("%(n)d lost") % {"n": found.lost_lately}, Tone.WARN
        advice = ngettext(
            "%(n)d worker went silent within the last day.",
            "%(n)d workers went silent within the last day.",
            found.lost_lately,
        ) % {"n": found.lost_lately}
    elif found.draining:
        word = _("%(n)d draining") % {"n": found.draining}
    return Vital(
        key="workers",
        label=_("Workers"),
        value=str(found.online + found.draining),
        word=word,
        tone=tone,
        url=reverse("admin:workers_node_changelist"),
        advice=advice,
    )


def _lag(queue: QueueHealth) -> Vital:
    lag = queue.lag_seconds
    tone = _tone_of_delay(lag)
    advice = _("A tick has been waiting for %(time)s to be fired.")
    return Vital(
        key="lag",
        label=_("Scheduler lag"),
        value=length(lag) if lag else _("0 s"),
        word=_("nothing overdue") if tone is Tone.GOOD else _("late"),
        tone=tone,
        url=reverse("admin:scheduling_scheduler_changelist"),
        advice="" if tone is Tone.GOOD else advice % {"time": length(lag)},
    )


def _depth(queue: QueueHealth) -> Vital:
    waits = queue.depth - queue.running
    parts = [
        _("%(n)d ready") % {"n": queue.ready} if queue.ready else "",
        _("%(n)d held back") % {"n": queue.waiting_for_limit} if queue.waiting_for_limit else "",
        _("%(n)d retried later") % {"n": queue.waiting_for_retry} if queue.waiting_for_retry else "",
        _("%(n)d planned") % {"n": queue.planned} if queue.planned else "",
    ]
    return Vital(
        key="depth",
        label=_("In the queue"),
        value=str(waits),
        word=_(", ").join(part for part in parts if part) or _("empty"),
        tone=Tone.CALM,
        url=_instances("ready" if queue.ready or not waits else "waiting"),
    )


def _oldest(queue: QueueHealth) -> Vital:
    waits = queue.oldest_due_seconds
    # Behind a limit it waits because somebody wants it so.
    for_a_slot = queue.oldest_ready_seconds
    calm = for_a_slot is None or _tone_of_delay(for_a_slot) is Tone.GOOD
    advice = _("Work has been waiting for %(time)s: too few free slots, or none for its queue.")
    return Vital(
        key="oldest",
        label=_("Oldest waiting"),
        value=NOTHING if waits is None else length(waits),
        word=_("nothing waits") if waits is None else _("since it was due") if calm else _("waits long"),
        tone=Tone.CALM if calm else Tone.WARN,
        url=_instances("ready" if queue.ready or not queue.waiting_for_limit else "waiting"),
        advice="" if calm else advice % {"time": length(for_a_slot)},
    )


def _running(queue: QueueHealth, nodes: NodesHealth) -> Vital:
    return Vital(
        key="running",
        label=_("Running now"),
        value=str(queue.running),
        word=_("%(busy)d of %(slots)d slots busy") % {"busy": nodes.busy, "slots": nodes.slots},
        tone=Tone.CALM,
        url=_instances("running"),
    )


def _failures(queue: QueueHealth) -> Vital:
    failed = queue.failed_last_hour
    return Vital(
        key="failures",
        label=_("Failed in the last hour"),
        value=str(failed),
        word=_("look") if failed else _("none"),
        tone=Tone.WARN if failed else Tone.GOOD,
        # By the moment of the failure: what failed now may have been meant for last month.
        url=f"{reverse('admin:scheduling_taskinstance_changelist')}?failed=yesterday",
        advice=ngettext("%(n)d instance failed in the last hour.", "%(n)d instances failed in the last hour.", failed)
        % {"n": failed}
        if failed
        else "",
    )


def _tone_of_delay(seconds: float) -> Tone:
    if seconds > conf().READY_LAG_SECONDS:
        return Tone.BAD
    return Tone.WARN if seconds > NOTEWORTHY_SECONDS else Tone.GOOD


def _instances(state: str) -> str:
    return f"{reverse('admin:scheduling_taskinstance_changelist')}?state={state}"
