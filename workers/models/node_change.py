"""NodeChange: what a node became, and when. Written by a database trigger, a few rows a day."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from workers.models.node import Node


class NodeChange(models.Model):
    """A sign of life that differed from the one before: another state, another worker, or after a long silence.

    Rows that are older than a week go when the next one of their node comes.
    """

    node = models.ForeignKey(Node, models.CASCADE, db_index=False, related_name="changes")
    at = models.DateTimeField(_("at"))
    #: Empty: there was no such node.
    before = models.CharField(_("before"), max_length=20, default="")
    after = models.CharField(_("after"), max_length=20)
    #: The sign of life before this one.
    last_seen_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "rota_node_change"
        verbose_name = _("change of a node")
        verbose_name_plural = _("changes of nodes")
        indexes = (models.Index(fields=["node", "at"], name="rota_node_change_at"),)

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"
