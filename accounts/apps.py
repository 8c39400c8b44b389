"""Registers the app of users, namespaces and what they may do."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """People, the namespaces that hold their work, and memberships that join the two."""

    name = "accounts"
    verbose_name = _("Accounts")
