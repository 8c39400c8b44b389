"""Is the database up to date with this code?"""

from __future__ import annotations

from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from scheduling.exceptions import NotMigrated

Migration = tuple[str, str]


def missing_migrations() -> list[str]:
    """Return the apps whose newest migration has not been applied; one query."""
    with connection.cursor() as cursor:
        # Asked by name, since the table itself is missing from a database that was never migrated.
        cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return sorted(app for app, _name in _newest())
        cursor.execute("SELECT app, name FROM django_migrations")
        applied: set[Migration] = set(cursor.fetchall())
    return sorted(
        newest[0]
        for newest, replaced in _newest().items()
        if newest not in applied and not (replaced and replaced <= applied)
    )


@cache
def _newest() -> dict[Migration, frozenset[Migration]]:
    """Return the newest migrations of each app, with those that a squashed one stands for.

    They are read from files once in a process's life: code does not change under a running server.
    """
    loader = MigrationLoader(None)
    return {
        leaf: frozenset(loader.replacements[leaf].replaces) if leaf in loader.replacements else frozenset()
        for leaf in loader.graph.leaf_nodes()
    }


def require_migrations() -> None:
    """Raise NotMigrated when the database is not up to date; a loop would otherwise fail with every statement."""
    if apps := missing_migrations():
        raise NotMigrated(apps)
