"""The receiver in docs/reliability.md, asked by real handlers: it works once and refuses who comes too late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.handlers.support import make_context, start
from workers.handlers.base import Handler, HandlerError
from workers.handlers.http.handler import HttpHandler
from workers.handlers.sql.handler import SqlHandler

HTTP: Handler[Any] = HttpHandler()
SQL: Handler[Any] = SqlHandler()

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def example(language: str, beginning: str) -> str:
    """Return the example that begins so."""
    text = DOCUMENT.read_text()
    begin = text.index(f"```{language}\n{beginning}") + len(language) + 4
    return text[begin : text.index("\n```", begin)]


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The documented receiver on a free port; returns its URL."""
    monkeypatch.chdir(tmp_path)
    servers: list[HTTPServer] = []
    ready = threading.Event()

    def serve() -> None:
        # All in one thread, because its database belongs to the thread that opened it.
        module: dict[str, Any] = {"__name__": "receiver"}
        exec(compile(example("python", "# receiver.py"), "receiver.py", "exec"), module)  # noqa: S102 - our own document
        module["Receiver"].log_message = lambda *args: None
        servers.append(HTTPServer(("127.0.0.1", 0), module["Receiver"]))
        ready.set()
        servers[0].serve_forever(poll_interval=0.01)
        servers[0].server_close()
        module["database"].close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(30)
    yield f"http://127.0.0.1:{servers[0].server_address[1]}/"
    servers[0].shutdown()
    thread.join(30)


def ask(url: str, key: str, token: int) -> Any:
    """Send the order as one attempt does; the answer, or the error."""
    context = make_context(idempotency_key=key, execution_id=token)
    future = start(HTTP, context, url=url, method="POST", json={"amount": 12})
    return future.exception(30) or future.result()["json"]


def test_a_receiver_does_the_work_once_and_refuses_a_worker_that_was_replaced(receiver: str) -> None:
    assert ask(receiver, "rota-1", 7) == {"booked": 12}
    assert ask(receiver, "rota-1", 8) == {"booked": 12}
    stale = ask(receiver, "rota-1", 7)
    assert isinstance(stale, HandlerError)
    assert stale.result["status"] == 409
    assert stale.result["json"] == {"error": "token 7 is stale: 8 has been here"}
    assert ask(receiver, "rota-2", 7) == {"booked": 12}


def test_a_statement_refuses_a_worker_that_was_replaced(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'reports.db'}"

    def execute(statement: str, token: int = 1) -> Any:
        context = make_context(execution_id=token, connection_urls={"main": url}.__getitem__)
        return start(SQL, context, connection="main", statement=statement).result(30)

    execute("CREATE TABLE orders (amount integer)")
    execute("CREATE TABLE report (name text, total integer, token integer)")
    execute("INSERT INTO report VALUES ('daily', 0, 0)")
    guarded = example("sql", "UPDATE report")
    assert execute(guarded, token=8)["row_count"] == 1
    assert execute(guarded, token=7)["row_count"] == 0
    assert execute("SELECT token FROM report")["rows"] == [[8]]
