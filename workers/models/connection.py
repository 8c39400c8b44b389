"""Connection: a named way to a database; SQL tasks name it and never hold a password."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from accounts.permissions import Somebody, visible_to


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Adjectives for connections."""

    def visible_to(self, user: Somebody) -> Self:
        """The connections in namespaces that ``user`` may see."""
        return visible_to(user, self)


class Connection(models.Model):
    """An SQLAlchemy URL under a name, within a namespace.

    The URL may hold ``${ROTA_SECRET_…}`` references, which the worker fills from its own environment, so
    that a password need not be in this database.
    """

    id = models.AutoField(primary_key=True)
    namespace = models.ForeignKey(Namespace, models.PROTECT, related_name="connections", verbose_name=_("namespace"))
    name = models.CharField(_("name"), max_length=100)
    url = models.TextField(
        _("URL"),
        help_text=_(
            "For example postgresql+psycopg://reports:${ROTA_SECRET_REPORTS}@db.example/sales. "
            "${ROTA_SECRET_…} is read from the worker's environment."
        ),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        db_table = "rota_connection"
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering = ["namespace", "name"]
        constraints = [models.UniqueConstraint("namespace", "name", name="connection_name_is_unique_in_namespace")]

    def __str__(self) -> str:
        return self.name
