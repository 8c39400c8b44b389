"""What the hot tables must have, and must not have, read from a migrated database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import pytest
from django.db import connection

from scheduling.domain.states import FINAL_STATES, EntryState
from workers.domain.states import ExecutionState

pytestmark = pytest.mark.django_db

HOT = ("rota_instance", "rota_execution", "rota_queue_entry", "rota_log_chunk")
#: The hot tables and their partitions.
NAMES = r"^rota_(instance|execution|queue_entry|log_chunk)(_p\d{8})?$"
RELATIONS = "SELECT relname, relpersistence FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ %s"


def rows(statement: str, params: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """What the catalogue answers."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def check_on(table: str, column: str) -> str:
    """The definition of the one CHECK constraint that looks at this column alone."""
    ((definition,),) = rows(
        """
        SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
        WHERE k.contype = 'c' AND k.conrelid = %s::regclass AND a.attname = %s
        """,
        [table, column],
    )
    return str(definition)


def test_the_tables_and_their_partitions_are_there() -> None:
    found = {name for name, _ in rows(RELATIONS, [NAMES])}
    assert found >= set(HOT)
    assert any(re.search(r"_p\d{8}$", name) for name in found), "the rules below look at partitions, too"


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("rota_instance", "outcome", sorted(FINAL_STATES)),
        ("rota_execution", "state", sorted(ExecutionState)),
    ],
)
def test_the_database_allows_the_states_of_the_enum_and_no_other(
    table: str, column: str, values: list[StrEnum]
) -> None:
    allowed = re.findall(r"'(\w+)'::character varying", check_on(table, column))
    assert sorted(allowed) == [value.value for value in values]


def test_the_queue_allows_the_range_of_its_enum_and_no_other() -> None:
    bounds = re.fullmatch(
        r"CHECK \(\(\(state >= (\d+)\) AND \(state <= (\d+)\)\)\)", check_on("rota_queue_entry", "state")
    )
    assert bounds is not None
    assert list(range(int(bounds[1]), int(bounds[2]) + 1)) == sorted(EntryState)


def test_the_hot_tables_have_no_triggers() -> None:
    statement = "SELECT h.relname, t.tgname FROM pg_trigger t JOIN pg_class h ON h.oid = t.tgrelid WHERE h.relname ~ %s"
    assert rows(statement, [NAMES]) == []


def test_no_foreign_key_leads_from_or_to_the_hot_tables() -> None:
    statement = """
        SELECT h.relname, k.conname FROM pg_constraint k JOIN pg_class h ON h.oid IN (k.conrelid, k.confrelid)
        WHERE k.contype = 'f' AND h.relname ~ %s
    """
    assert rows(statement, [NAMES]) == []


def test_no_index_on_the_hot_tables_has_a_state_among_its_columns() -> None:
    statement = """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid, n, true)
        FROM pg_index i JOIN pg_class h ON h.oid = i.indrelid CROSS JOIN generate_series(1, i.indnatts) n
        WHERE h.relname ~ %s
    """
    columns = rows(statement, [NAMES])
    assert len(columns) > len(HOT)
    assert [(index, column) for index, column in columns if re.search(r"\b(outcome|state)\b", column)] == []


def test_the_hot_tables_survive_a_crash() -> None:
    assert {persistence for _, persistence in rows(RELATIONS, [NAMES])} == {"p"}
