"""Migrations are one chain in each app, and complete."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

OURS = ("accounts", "scheduling", "workers")


@pytest.mark.unit
@pytest.mark.parametrize("app", OURS)
def test_the_migrations_of_an_app_are_one_chain(app: str) -> None:
    loader = MigrationLoader(None)
    names = {name for label, name in loader.disk_migrations if label == app}
    parents = [
        parent
        for key, migration in loader.disk_migrations.items()
        if key[0] == app
        for label, parent in migration.dependencies
        if label == app
    ]
    assert names, "the app has migrations"
    assert len(loader.graph.leaf_nodes(app)) == 1
    assert len(parents) == len(set(parents)) == len(names) - 1


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
