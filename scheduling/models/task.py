"""Task: the definition that people edit. Nothing on the hot path writes this table."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from accounts.permissions import Somebody, visible_to
from scheduling.domain.misfire import CatchUp
from scheduling.domain.policies import Backoff, OnWorkerLost, Overlap, TriggerKind
from scheduling.models.calendar import Calendar
from scheduling.models.pool import Pool
from scheduling.models.seconds import SecondsField

QUEUE_NAME = RegexValidator(
    r"^(?!node:\Z)[A-Za-z0-9][A-Za-z0-9_.:-]*\Z",
    _("Use letters, digits, and the signs _ . : - ; begin with a letter or digit. After node: comes a node's name."),
)


class TaskQuerySet(models.QuerySet["Task"]):
    """Adjectives for tasks."""

    def visible_to(self, user: Somebody) -> Self:
        """The tasks in namespaces that ``user`` may see."""
        return visible_to(user, self)

    def enabled(self) -> Self:
        """The tasks whose trigger fires."""
        return self.filter(enabled=True)


class Task(models.Model):
    """A reusable definition: handler, params, trigger and policies.

    `version` is raised by a database trigger whenever the definition changes, whichever way it was
    changed; each version is kept as a TaskRevision.
    """

    id = models.AutoField(primary_key=True)
    namespace = models.ForeignKey(Namespace, models.PROTECT, related_name="tasks", verbose_name=_("namespace"))
    name = models.CharField(
        _("name"),
        max_length=200,
        validators=[
            RegexValidator(
                r"^[^\s/](?:[^/\x00-\x1f]*[^\s/])?\Z",
                _("A name has no slash, no control character, and no space at either end."),
            )
        ],
        help_text=_("Unique within the namespace."),
    )
    description = models.TextField(_("description"), blank=True)
    enabled = models.BooleanField(
        _("enabled"), default=True, help_text=_("A paused task does not fire; it can still be run by hand.")
    )

    handler = models.CharField(_("handler"), max_length=100)
    params = models.JSONField(_("params"), default=dict, blank=True)

    trigger = models.CharField(
        _("trigger"),
        max_length=20,
        choices=[
            (TriggerKind.CRON.value, _("Cron expression")),
            (TriggerKind.INTERVAL.value, _("Interval")),
            (TriggerKind.FIXED_DELAY.value, _("Fixed delay")),
            (TriggerKind.ONCE.value, _("Once")),
            (TriggerKind.MANUAL.value, _("Manual")),
        ],
        default=TriggerKind.MANUAL.value,
    )
    cron_expression = models.CharField(
        _("cron expression"),
        max_length=200,
        blank=True,
        help_text=_(
            "Five fields; six: seconds first; seven: seconds first, year last. "
            "Names, L, #, H and aliases such as @daily work."
        ),
    )
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        default="UTC",
        help_text=_("An IANA name, such as Europe/Berlin. The cron expression is read on its wall clock."),
    )
    every_seconds = SecondsField(
        _("every (seconds)"),
        null=True,
        blank=True,
        help_text=_("The interval, or the delay after an instance has ended; 0.1 or more, to the millisecond."),
    )
    anchor_at = models.DateTimeField(
        _("anchor"),
        null=True,
        blank=True,
        help_text=_("Fires at anchor + n × interval. Empty: the moment the task was created."),
    )
    run_at = models.DateTimeField(_("run at"), null=True, blank=True, help_text=_("For a task that runs once."))
    delay_seconds = models.PositiveIntegerField(
        _("or after (seconds)"),
        null=True,
        blank=True,
        help_text=_("For a task that runs once: so long after it was saved, when no moment is given."),
    )
    dst_gap = models.CharField(
        _("local time that does not exist"),
        max_length=20,
        choices=[
            ("run_after_gap", _("Run right after the gap")),
            ("skip", _("Skip")),
            ("shift", _("Shift by the length of the gap")),
        ],
        default="run_after_gap",
    )
    dst_fold = models.CharField(
        _("local time that exists twice"),
        max_length=20,
        choices=[
            ("first", _("Run the first time")),
            ("second", _("Run the second time")),
            ("both", _("Run both")),
        ],
        default="first",
    )
    starts_at = models.DateTimeField(_("not before"), null=True, blank=True)
    ends_at = models.DateTimeField(_("not after"), null=True, blank=True)

    jitter_seconds = models.PositiveIntegerField(
        _("jitter (seconds)"),
        default=0,
        help_text=_("Starts each tick later by up to so much: always the same for a tick, never past the next one."),
    )
    calendars = models.ManyToManyField(
        Calendar, db_table="rota_task_calendar", blank=True, related_name="tasks", verbose_name=_("calendars")
    )

    catch_up = models.CharField(
        _("catch up"),
        max_length=20,
        choices=[
            (CatchUp.LATEST.value, _("One instance for the latest missed tick")),
            (CatchUp.NONE.value, _("None; one skipped row records what was missed")),
            (CatchUp.ALL.value, _("All, up to the cap")),
        ],
        default=CatchUp.LATEST.value,
        help_text=_("After an outage or a pause."),
    )
    misfire_grace_seconds = models.PositiveIntegerField(
        _("misfire grace (seconds)"),
        null=True,
        blank=True,
        help_text=_("A tick this late is simply late. Empty: 60 s or a tenth of the period, whichever is longer."),
    )
    max_catch_up = models.PositiveIntegerField(_("catch-up cap"), default=100)
    overlap = models.CharField(
        _("overlap"),
        max_length=20,
        choices=[
            (Overlap.SKIP.value, _("Skip the new one")),
            (Overlap.QUEUE_ONE.value, _("Let one wait")),
            (Overlap.QUEUE_ALL.value, _("Let all wait")),
            (Overlap.CANCEL_RUNNING.value, _("Cancel the running one")),
            (Overlap.KILL_RUNNING.value, _("Kill the running one")),
            (Overlap.ALLOW.value, _("Run side by side")),
        ],
        default=Overlap.SKIP.value,
        help_text=_("While an earlier instance with the same concurrency key is unfinished."),
    )
    concurrency_key = models.CharField(
        _("concurrency key"),
        max_length=200,
        blank=True,
        help_text=_(
            "What counts as the same work, made from the params: customer-{customer_id}. Tasks of a namespace that "
            "yield the same text share it. Empty: the task itself."
        ),
    )
    max_running = models.PositiveIntegerField(
        _("most at once"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    pool = models.ForeignKey(
        Pool,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="tasks",
        verbose_name=_("pool"),
        help_text=_("A limit that several tasks share."),
    )
    pool_weight = models.PositiveSmallIntegerField(
        _("weight in the pool"),
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("How many of the pool's slots one instance takes."),
    )
    max_attempts = models.PositiveSmallIntegerField(
        _("attempts"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("How often an instance is tried; the first run counts."),
    )
    retry_backoff = models.CharField(
        _("delay between attempts"),
        max_length=20,
        choices=[
            (Backoff.EXPONENTIAL.value, _("Exponential, with jitter")),
            (Backoff.FIXED.value, _("Fixed")),
            (Backoff.LIST.value, _("A list of delays")),
        ],
        default=Backoff.EXPONENTIAL.value,
    )
    retry_delay_seconds = models.PositiveIntegerField(_("first delay (seconds)"), default=10)
    retry_max_delay_seconds = models.PositiveIntegerField(_("longest delay (seconds)"), default=3600)
    retry_delays = ArrayField(
        models.PositiveIntegerField(),
        verbose_name=_("delays (seconds)"),
        default=list,
        blank=True,
        help_text=_("For a list of delays: 10, 60, 600. The last one goes on."),
    )
    retry_on = ArrayField(
        models.CharField(max_length=200),
        verbose_name=_("retry only on"),
        default=list,
        blank=True,
        help_text=_("Exit codes, HTTP statuses (503, 5xx), reasons or names of exceptions. Empty: on every failure."),
    )
    give_up_on = ArrayField(
        models.CharField(max_length=200),
        verbose_name=_("give up on"),
        default=list,
        blank=True,
        help_text=_("The same kinds of words: no further attempt after such a failure."),
    )
    timeout_seconds = models.PositiveIntegerField(
        _("time limit (seconds)"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    soft_timeout_seconds = models.PositiveIntegerField(
        _("warn after (seconds)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Work that takes longer is marked and goes on."),
    )
    kill_grace_seconds = models.PositiveSmallIntegerField(
        _("kill grace (seconds)"), default=10, help_text=_("Between asking the work to stop and killing it.")
    )
    max_processes = models.PositiveIntegerField(
        _("most processes"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("For shell commands and Python functions in a process of their own, as are the next two."),
    )
    max_memory_mb = models.PositiveIntegerField(
        _("most memory (MiB)"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    max_cpu_seconds = models.PositiveIntegerField(
        _("most CPU time (seconds)"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    on_worker_lost = models.CharField(
        _("when the worker is lost"),
        max_length=20,
        choices=[(OnWorkerLost.RETRY.value, _("Run it again")), (OnWorkerLost.FAIL.value, _("Fail"))],
        default=OnWorkerLost.RETRY.value,
    )
    priority = models.SmallIntegerField(
        _("priority"),
        default=0,
        validators=[MinValueValidator(-100), MaxValueValidator(100)],
        help_text=_("−100 to 100; a higher one goes first, a lower one never starves."),
    )
    queue = models.CharField(
        _("queue"),
        max_length=100,
        default="default",
        validators=[QUEUE_NAME],
        help_text=_("Which workers may take it. Every node also serves its own queue, node:NAME."),
    )

    owner = models.CharField(
        _("owner"),
        max_length=100,
        blank=True,
        help_text=_("The set of definition files that this task belongs to; empty for one that was made by hand."),
    )

    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), editable=False)

    objects = TaskQuerySet.as_manager()

    class Meta:
        db_table = "rota_task"
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        ordering = ["namespace", "name"]
        constraints = [
            models.UniqueConstraint(
                "namespace",
                "name",
                name="task_name_is_unique_in_namespace",
                violation_error_message=_("A task with this name exists in this namespace."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
