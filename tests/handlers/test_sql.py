"""The sql handler against real databases: the project's PostgreSQL, and SQLite."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection
from pytest_django import DjangoDbBlocker
from sqlalchemy import URL

from tests.handlers.support import MemoryLog, make_context, run, start, wait_until
from workers.domain.outcome import checked_result
from workers.handlers.base import HandlerCancelled, HandlerContext, HandlerError, HandlerTimedOut
from workers.handlers.sql import SqlHandler
from workers.handlers.sql.engines import forget_engines

SQL = SqlHandler()


@pytest.fixture
def postgres(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The URL of the tests' own PostgreSQL database."""
    with django_db_blocker.unblock():
        given = django_connection.get_connection_params()
    url = URL.create(
        "postgresql",
        username=given.get("user"),
        password=given.get("password"),
        database=given["dbname"],
        query={name: str(given[name]) for name in ("host", "port") if given.get(name)},
    )
    yield url.render_as_string(hide_password=False)
    forget_engines()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[str]:
    yield f"sqlite:///{tmp_path / 'data.db'}"
    forget_engines()


@pytest.fixture(params=["postgres", "sqlite"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def table(url: str) -> Iterator[None]:
    """The table handler_test with one column, in either database."""
    sql(url, "DROP TABLE IF EXISTS handler_test")
    sql(url, "CREATE TABLE handler_test (n integer)")
    yield
    sql(url, "DROP TABLE handler_test")


def on(url: str, log: MemoryLog | None = None, **changes: Any) -> HandlerContext:
    return make_context(log, connection_urls={"main": url}.__getitem__, **changes)


def sql(url: str, statement: str, context: HandlerContext | None = None, **params: Any) -> Any:
    return run(SQL, context or on(url), connection="main", statement=statement, **params)


def failure(url: str, statement: str, **params: Any) -> HandlerError:
    with pytest.raises(HandlerError) as caught:
        sql(url, statement, **params)
    return caught.value


def backends_named(url: str, name: str) -> int:
    """Count the PostgreSQL backends that run a statement with this mark in it."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state = 'active' AND query LIKE %s AND pid <> pg_backend_pid()",
            [f"%{name}%"],
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_rows_come_back_as_a_table(url: str, log: MemoryLog) -> None:
    result = sql(url, "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL ORDER BY 1", on(url, log))

    assert result == {
        "columns": ["a", "b"],
        "rows": [[1, "x"], [2, None]],
        "row_count": 2,
        "truncated": False,
    }
    assert "2 rows" in log.text("log")


def test_values_are_bound_and_never_pasted(url: str) -> None:
    nasty = "'; DROP TABLE users; --"

    assert sql(url, "SELECT :v AS v", parameters={"v": nasty})["rows"] == [[nasty]]


@pytest.mark.usefixtures("table")
def test_a_statement_that_succeeds_is_committed(url: str) -> None:
    result = sql(url, "INSERT INTO handler_test VALUES (:n)", parameters={"n": 5})

    assert result == {"columns": [], "rows": [], "row_count": 1, "truncated": False}
    assert sql(url, "SELECT n FROM handler_test")["rows"] == [[5]]


def test_a_statement_may_mention_the_execution(url: str) -> None:
    statement = "SELECT :rota_idempotency_key AS k, CAST(:rota_execution_id AS integer) AS e"

    assert sql(url, statement, on(url, idempotency_key="k7"))["rows"] == [["k7", 22]]


def test_more_rows_than_the_cap_are_cut_and_said_so(postgres: str) -> None:
    result = sql(postgres, "SELECT n FROM generate_series(1, 5000) AS s(n)", max_rows=10)

    assert result["rows"] == [[n] for n in range(1, 11)]
    assert result["row_count"] == 5000
    assert result["truncated"] is True


def test_a_select_that_changes_something_is_carried_out_for_every_row(postgres: str) -> None:
    sql(postgres, "CREATE SEQUENCE handler_test_sequence")
    try:
        sql(
            postgres,
            "SELECT nextval('handler_test_sequence') FROM generate_series(1, 3000)",
            max_rows=1,
        )
        assert sql(postgres, "SELECT last_value FROM handler_test_sequence")["rows"] == [[3000]]
    finally:
        sql(postgres, "DROP SEQUENCE handler_test_sequence")


def test_reading_stops_early_when_it_can_only_read(postgres: str) -> None:
    # More rows than the suite has patience for, computed while they are fetched.
    statement = "SELECT generate_series(1, 2000000000) AS n"

    result = sql(postgres, statement, read_only=True, max_rows=3)

    assert result["rows"] == [[1], [2], [3]]
    assert result["truncated"] is True


def test_wide_rows_are_cut_where_a_result_is_full(postgres: str) -> None:
    result = sql(postgres, "SELECT repeat('x', 100000) AS wide FROM generate_series(1, 100)")

    assert 0 < len(result["rows"]) < 100
    assert result["row_count"] == 100
    assert result["truncated"] is True
    checked_result(result)


def test_every_type_becomes_something_that_json_can_express(postgres: str) -> None:
    statement = """
        SELECT CAST('2026-03-29' AS date) AS a, CAST('2026-03-29 02:30+00' AS timestamptz) AT TIME ZONE 'UTC'
        AS b,
            CAST('1.10' AS numeric) AS c, CAST('NaN' AS float8) AS d, decode('00ff', 'hex') AS e,
            ARRAY[1, 2] AS f, CAST('{"k": [1.5]}' AS jsonb) AS g,
            CAST('00000000-0000-0000-0000-000000000001' AS uuid) AS h, CAST('1 day' AS interval) AS i,
            CAST('10.0.0.0/8' AS cidr) AS j, true AS k
    """
    [row] = sql(postgres, statement)["rows"]

    assert row == [
        *("2026-03-29", "2026-03-29T02:30:00", "1.10", "nan", "00ff", [1, 2], {"k": [1.5]}),
        *("00000000-0000-0000-0000-000000000001", "1 day, 0:00:00", "10.0.0.0/8", True),
    ]
    checked_result(row)


def test_an_object_is_given_as_json_text(postgres: str) -> None:
    result = sql(postgres, "SELECT CAST(:o AS jsonb) ->> 'a' AS a", parameters={"o": {"a": "ü"}})

    assert result["rows"] == [["ü"]]


def test_a_cast_is_not_taken_for_a_value(postgres: str) -> None:
    assert sql(postgres, "SELECT '1'::integer AS n")["rows"] == [[1]]


# Read only


@pytest.mark.usefixtures("table")
def test_a_read_only_statement_cannot_write(url: str) -> None:
    error = failure(url, "INSERT INTO handler_test VALUES (1)", read_only=True)

    assert error.reason == "statement_failed"
    assert sql(url, "SELECT count(*) AS n FROM handler_test")["rows"] == [[0]]


@pytest.mark.usefixtures("table")
def test_the_next_statement_on_the_same_connection_may_write_again(url: str) -> None:
    sql(url, "SELECT n FROM handler_test", read_only=True)
    sql(url, "INSERT INTO handler_test VALUES (1)")

    assert sql(url, "SELECT n FROM handler_test")["rows"] == [[1]]


# Ending


def test_the_server_itself_limits_the_statement(postgres: str) -> None:
    limited = sql(postgres, "SELECT current_setting('statement_timeout') AS t", on(postgres, seconds=60))
    afterwards = sql(postgres, "SELECT current_setting('statement_timeout') AS t")

    assert limited["rows"][0][0] not in {"0", ""}
    assert afterwards["rows"] == [["0"]]


ENDLESS = {
    "postgres": "SELECT pg_sleep(1000) /* handler_test_endless */",
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c",
}


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_the_deadline_ends_a_statement(kind: str, request: pytest.FixtureRequest) -> None:
    url = str(request.getfixturevalue(kind))

    with pytest.raises(HandlerTimedOut):
        sql(url, ENDLESS[kind], on(url, seconds=0.4))


def test_cancelling_ends_a_statement_on_the_server(postgres: str) -> None:
    context = on(postgres)
    future = start(SQL, context, connection="main", statement=ENDLESS["postgres"])
    wait_until(lambda: backends_named(postgres, "handler_test_endless") == 1, "the statement runs")

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    wait_until(lambda: backends_named(postgres, "handler_test_endless") == 0, "the statement ended")


def test_a_statement_that_is_stopped_leaves_nothing(postgres: str) -> None:
    sql(postgres, "DROP TABLE IF EXISTS handler_test")
    sql(postgres, "CREATE TABLE handler_test (n integer)")
    try:
        context = on(postgres)
        insert = "WITH i AS (INSERT INTO handler_test VALUES (1))"
        statement = f"{insert} SELECT pg_sleep(1000) /* test_x */"
        future = start(SQL, context, connection="main", statement=statement)
        wait_until(lambda: backends_named(postgres, "test_x") == 1, "the statement runs")
        context.cancel()
        assert isinstance(future.exception(30), HandlerCancelled)

        assert sql(postgres, "SELECT n FROM handler_test")["rows"] == []
    finally:
        sql(postgres, "DROP TABLE handler_test")


def test_a_connection_that_was_stopped_can_be_used_again(url: str) -> None:
    kind = "sqlite" if url.startswith("sqlite") else "postgres"
    with pytest.raises(HandlerTimedOut):
        sql(url, ENDLESS[kind], on(url, seconds=0.2))

    assert sql(url, "SELECT 1 AS n")["rows"] == [[1]]


# Errors


def test_a_wrong_statement_says_what_the_database_says(url: str) -> None:
    error = failure(url, "SELECT * FROM no_such_table")

    assert error.reason == "statement_failed"
    assert "no_such_table" in error.message
    assert "\n" not in error.message


def test_postgres_errors_carry_their_code(postgres: str) -> None:
    assert failure(postgres, "SELECT 1/0").result == {"sqlstate": "22012"}


def test_a_lost_connection_is_replaced_by_the_next_execution(postgres: str) -> None:
    pid = sql(postgres, "SELECT pg_backend_pid() AS p")["rows"][0][0]
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])

    assert sql(postgres, "SELECT 1 AS n")["rows"] == [[1]]


def test_a_connection_nobody_defined_is_named() -> None:
    with pytest.raises(HandlerError) as caught:
        run(SQL, make_context(connection_urls={}.__getitem__), connection="gone", statement="SELECT 1")

    assert caught.value.reason == "unknown_connection"
    assert "'gone'" in caught.value.message


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://ann:sesame@127.0.0.1:1/db", "connection_failed"),
        ("mysql+pymysql://ann:sesame@127.0.0.1/db", "driver_missing"),
        ("nosuch://ann:sesame@127.0.0.1/db", "driver_missing"),
        ("sesame", "bad_connection"),
    ],
)
def test_no_error_shows_the_url_or_its_password(url: str, reason: str) -> None:
    error = failure(url, "SELECT 1")

    assert error.reason == reason
    chain = f"{error.message} {error.__cause__} {error.result}"
    assert "sesame" not in chain


# What can be saved


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"connection": "main"}, "params.statement: Field required"),
        ({"connection": "main", "statement": "  "}, "params.statement: A statement is needed"),
        ({"connection": "main", "statement": "SELECT :a"}, "params.parameters.a: The statement mentions it"),
        (
            {"connection": "main", "statement": "SELECT 1", "parameters": {"a": 1}},
            "params.parameters.a: The statement does not mention it",
        ),
        ({"connection": "main", "statement": "SELECT 1", "max_rows": -1}, "params.max_rows: Input should be"),
    ],
)
def test_params_that_cannot_work_are_refused_with_their_place(params: dict[str, Any], error: str) -> None:
    errors = [str(each) for each in SQL.check_params(params)]

    assert len(errors) == 1
    assert errors[0].startswith(error)
