"""Rows for tests: typed functions with sensible defaults, each overridable by name."""

from __future__ import annotations

import itertools
from typing import Any

from accounts.models import Membership, Namespace, User
from accounts.roles import Role
from scheduling.db import Connection
from scheduling.models import Task
from workers.engine.nodes import Registration, register

_numbers = itertools.count(1)

PASSWORD = "correct horse battery staple"


def make_namespace(name: str = "default") -> Namespace:
    """Return the namespace ``name``, made if it is not there."""
    return Namespace.objects.get_or_create(name=name, defaults={"title": name.capitalize()})[0]


def make_user(name: str = "", *, superuser: bool = False, staff: bool = True, **roles: Role) -> User:
    """Return a new user; ``roles`` maps namespace names to roles."""
    user = User.objects.create_user(
        username=name or f"user-{next(_numbers)}", password=PASSWORD, is_staff=staff, is_superuser=superuser
    )
    for namespace, role in roles.items():
        Membership.objects.create(user=user, namespace=make_namespace(namespace), role=role.value)
    return user


def make_task(**over: Any) -> Task:
    """Return a stored task: a shell task without a trigger, unless said otherwise."""
    namespace = over.pop("namespace", "default")
    fields: dict[str, Any] = {
        "name": f"task-{next(_numbers)}",
        "namespace": namespace if isinstance(namespace, Namespace) else make_namespace(namespace),
        "handler": "shell",
        "params": {"command": "true"},
        "trigger": "manual",
    }
    task = Task.objects.create(**{**fields, **over})
    task.refresh_from_db()
    return task


def make_registration(conn: Connection, **over: Any) -> Registration:
    """Return the registration of a worker that never lived: a node to claim for."""
    fields: dict[str, Any] = {
        "name": f"node-{next(_numbers)}",
        "host": "test-host",
        "pid": 1,
        "queues": ["default"],
        "handlers": ["shell", "python", "http", "sql"],
        "known_handlers": ["shell", "python", "http", "sql"],
        "slots": 8,
        "version": "test",
    }
    return register(conn, **{**fields, **over})
