"""User, Namespace and the Membership that joins them. Imports nothing of the other apps."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.roles import Role
from accounts.zones import check_zone

DEFAULT_NAMESPACE = "default"


class User(AbstractUser):
    """A person or a system that logs in."""

    language = models.CharField(
        _("language"),
        max_length=20,
        blank=True,
        default="",
        choices=settings.LANGUAGES,
        help_text=_("Empty: the one that your browser asks for."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        validators=[check_zone],
        help_text=_("In which moments are shown. Empty: that of the server."),
    )

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")


class Namespace(models.Model):
    """The tenant: tasks, instances, logs and connections belong to exactly one."""

    name = models.CharField(
        _("name"),
        max_length=63,
        unique=True,
        validators=[
            RegexValidator(
                r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z",
                _("Use lower-case letters, digits and hyphens; begin and end with a letter or digit."),
            )
        ],
    )
    title = models.CharField(_("title"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    users = models.ManyToManyField(User, through="Membership", related_name="namespaces")

    class Meta:
        verbose_name = _("namespace")
        verbose_name_plural = _("namespaces")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title or self.name


class Membership(models.Model):
    """What one user may do in one namespace."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("user"))
    namespace = models.ForeignKey(Namespace, models.CASCADE, related_name="memberships", verbose_name=_("namespace"))
    role = models.CharField(
        _("role"),
        max_length=20,
        choices=[
            (Role.VIEWER.value, _("Viewer: sees everything, changes nothing")),
            (Role.OPERATOR.value, _("Operator: also runs, pauses and cancels")),
            (Role.ADMINISTRATOR.value, _("Administrator: also changes definitions")),
        ],
        default=Role.VIEWER.value,
    )

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint("user", "namespace", name="one_membership_per_user_and_namespace")]

    def __str__(self) -> str:
        return f"{self.user} · {self.namespace} · {self.role}"
