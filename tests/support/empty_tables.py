"""Emptying the database after a test that committed.

Django truncates every table, each partition with its indexes, and fills in what its apps keep there: half a second for
a few rows. Deleting what is there takes some milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.test import TransactionTestCase

# What migrations filled, and no test changes.
_EMPTY = """
DO $$
DECLARE
    name text;
    filled boolean;
BEGIN
    -- Foreign keys are checked at the end, when everything is gone.
    SET CONSTRAINTS ALL DEFERRED;
    FOR name IN
        SELECT quote_ident(c.relname) FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND c.relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO filled;
        IF filled THEN
            EXECUTE format('DELETE FROM %s', name);
        END IF;
    END LOOP;
    -- Days that a test has made, which would be old, or far ahead, to the next one.
    FOR name IN
        SELECT quote_ident(c.relname) FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relispartition AND c.relkind = 'r'
            AND c.relname ~ '_p[0-9]{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') NOT BETWEEN current_date - 2 AND current_date + 8
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS %s', name);
    END LOOP;
END $$
"""


def empty_tables() -> None:
    """Delete every row that a test may have committed."""
    for connection in connections.all(initialized_only=True):
        with connection.cursor() as cursor:
            cursor.execute(_EMPTY)


def install() -> None:
    """Let Django's transactional tests clean up in this way."""
    TransactionTestCase._fixture_teardown = lambda self: empty_tables()  # type: ignore[attr-defined] # its hook for this


@contextmanager
def emptied_at_the_end() -> Iterator[None]:
    """Keep what the tests within commit, for processes that outlive each of them; empty the tables once, afterwards."""
    TransactionTestCase._fixture_teardown = lambda self: None  # type: ignore[attr-defined] # as above
    try:
        yield
    finally:
        install()
        # Of a fixture, not of the tests, which may have had others.
        connections["default"].ensure_connection()
        empty_tables()
        connections.close_all()
