"""The admin of people and namespaces, and the base classes of every other admin page."""

from accounts.admin import namespace, user

__all__ = ["namespace", "user"]
