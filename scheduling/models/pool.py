"""Pool: a named limit that several tasks of a namespace share."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from accounts.permissions import Somebody, visible_to


class PoolQuerySet(models.QuerySet["Pool"]):
    """Adjectives for pools."""

    def visible_to(self, user: Somebody) -> Self:
        """The pools in namespaces that ``user`` may see."""
        return visible_to(user, self)


class Pool(models.Model):
    """So many slots; an admitted instance takes as many as its task's weight says, until it ends."""

    id = models.AutoField(primary_key=True)
    namespace = models.ForeignKey(Namespace, models.PROTECT, related_name="pools", verbose_name=_("namespace"))
    name = models.CharField(_("name"), max_length=100, help_text=_("Unique within the namespace."))
    slots = models.PositiveIntegerField(_("slots"), default=1, help_text=_("0 admits nothing more; what runs goes on."))
    description = models.TextField(_("description"), blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    objects = PoolQuerySet.as_manager()

    class Meta:
        db_table = "rota_pool"
        verbose_name = _("pool")
        verbose_name_plural = _("pools")
        ordering = ["namespace", "name"]
        constraints = [
            models.UniqueConstraint(
                "namespace",
                "name",
                name="pool_name_is_unique_in_namespace",
                violation_error_message=_("A pool with this name exists in this namespace."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
