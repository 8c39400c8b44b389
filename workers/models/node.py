"""Node: a machine's identity, and the worker that serves in its name."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from workers.conf import conf
from workers.domain.states import NodeHealth, NodeState


class Node(models.Model):
    """One named place where a worker runs.

    A worker process takes the node's name and draws an `incarnation`; leases are held by the incarnation,
    so a process that comes back from the dead cannot speak for the one that replaced it.
    """

    id = models.AutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=100, unique=True)
    host = models.CharField(_("host"), max_length=255, default="")
    pid = models.IntegerField(_("process id"), default=0)
    incarnation = models.BigIntegerField(_("incarnation"), unique=True)
    state = models.CharField(
        _("state"),
        max_length=20,
        choices=[
            (NodeState.ONLINE.value, _("online")),
            (NodeState.DRAINING.value, _("draining")),
            (NodeState.STOPPED.value, _("stopped")),
        ],
        default=NodeState.ONLINE.value,
    )
    queues = ArrayField(models.CharField(max_length=100), verbose_name=_("queues"), default=list)
    #: Those that it may run.
    handlers = ArrayField(models.CharField(max_length=100), verbose_name=_("handlers"), default=list)
    #: Those that are installed there, whether or not it may run them.
    known_handlers = ArrayField(models.CharField(max_length=100), default=list)
    slots = models.PositiveIntegerField(_("slots"), default=1)
    busy = models.PositiveIntegerField(_("busy slots"), default=0)
    version = models.CharField(_("version"), max_length=50, default="")
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    last_seen_at = models.DateTimeField(_("last heartbeat"), db_default=Now())
    #: Set from the moment that somebody drains the node until somebody resumes it, whichever worker has its name.
    held_at = models.DateTimeField(
        _("held since"), null=True, help_text=_("It takes no work until somebody resumes it.")
    )
    held_by = models.CharField(_("held by"), max_length=255, default="", db_default="")
    held_reason = models.CharField(_("why it is held"), max_length=500, default="", db_default="")
    #: What its worker has done since it started, by name: claimed, succeeded, failed, refused, …
    counts = models.JSONField(_("has done"), default=dict, db_default=models.Value({}, models.JSONField()))
    #: Load and memory of its machine as of the last heartbeat; see workers/runtime/machine.py.
    machine = models.JSONField(_("machine"), default=dict, db_default=models.Value({}, models.JSONField()))

    class Meta:
        db_table = "rota_node"
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def health(self, now: datetime) -> NodeHealth:
        """Return what to show at ``now``: the worker's own word, or ``lost`` when it has gone silent."""
        if self.state == NodeState.STOPPED:
            return NodeHealth.STOPPED
        if now - self.last_seen_at > timedelta(seconds=conf().lease_seconds):
            return NodeHealth.LOST
        return NodeHealth(self.state)
