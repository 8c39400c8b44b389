"""The http handler against real servers."""

import json
import socket
from typing import Any

import pytest
from pytest_django import Settings

from tests.handlers.http_server import Server
from tests.handlers.support import MemoryLog, make_context, run, start
from workers.handlers.base import HandlerCancelled, HandlerError, HandlerTimedOut
from workers.handlers.http import HttpHandler

HTTP = HttpHandler()


def failure(**params: Any) -> HandlerError:
    with pytest.raises(HandlerError) as caught:
        run(HTTP, **params)
    return caught.value


def test_a_good_answer_is_the_result(server: Server) -> None:
    result = run(HTTP, url=server.url("/status?code=200"))

    assert result["status"] == 200
    assert result["body"] == "as you wish"
    assert result["truncated"] is False
    assert result["url"] == server.url("/status?code=200")


def test_every_request_carries_the_idempotency_key_and_the_fencing_token(server: Server) -> None:
    context = make_context(idempotency_key="instance-7", execution_id=99)

    run(HTTP, context, url=server.url("/redirect?to=/status%3Fcode=200"))

    assert len(server.requests) == 2
    for request in server.requests:
        assert request["headers"]["Idempotency-Key"] == "instance-7"
        assert request["headers"]["Rota-Execution"] == "99"


def test_a_status_that_is_not_expected_fails_and_keeps_the_answer(server: Server) -> None:
    error = failure(url=server.url("/status?code=503"))

    assert error.reason == "unexpected_status"
    assert "503 Service Unavailable, expected 200-299" in error.message
    assert error.result["status"] == 503
    assert error.result["body"] == "as you wish"


@pytest.mark.parametrize("expected", [[404], ["400-499"], [200, "404-404"], ["404"]])
def test_an_expected_status_succeeds_whatever_it_is(server: Server, expected: list[int | str]) -> None:
    assert run(HTTP, url=server.url("/status?code=404"), expected_statuses=expected)["status"] == 404


def test_query_headers_and_json_are_sent_as_given(server: Server) -> None:
    run(
        HTTP,
        method="post",
        url=server.url("/echo?first=1"),
        query={"flag": True, "many": [1, "two"]},
        headers={"X-Extra": "yes"},
        json={"name": "Jürgen"},
    )

    [request] = server.requests
    assert request["method"] == "POST"
    assert request["query"] == {"first": ["1"], "flag": ["true"], "many": ["1", "two"]}
    assert request["headers"]["X-Extra"] == "yes"
    assert request["headers"]["Content-Type"] == "application/json"
    assert json.loads(request["body"]) == {"name": "Jürgen"}


def test_null_is_json_too(server: Server) -> None:
    run(HTTP, method="POST", url=server.url("/echo"), json=None)

    assert server.requests[0]["body"] == b"null"


def test_a_body_is_sent_as_it_is(server: Server) -> None:
    run(HTTP, method="PUT", url=server.url("/echo"), body="a=1", headers={"content-type": "text/csv"})

    [request] = server.requests
    assert request["body"] == b"a=1"
    assert {name.lower(): value for name, value in request["headers"].items()}["content-type"] == "text/csv"


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"type": "basic", "user": "ann", "password": "pw"}, "Basic YW5uOnB3"),
        ({"type": "bearer", "token": "abc"}, "Bearer abc"),
    ],
)
def test_credentials_go_into_the_header(server: Server, auth: dict[str, str], header: str) -> None:
    run(HTTP, url=server.url("/echo"), auth=auth)

    assert server.requests[0]["headers"]["Authorization"] == header


def test_credentials_do_not_follow_a_redirect_to_another_host(server: Server) -> None:
    target = server.url("/echo", host="localhost")
    run(
        HTTP,
        url=server.url(f"/redirect?to={target}"),
        auth={"type": "bearer", "token": "abc"},
        headers={"Cookie": "a=b"},
    )

    first, second = server.requests
    assert first["headers"]["Authorization"] == "Bearer abc"
    assert "Authorization" not in second["headers"]
    assert "Cookie" not in second["headers"]


def test_credentials_do_follow_a_redirect_on_the_same_host(server: Server) -> None:
    run(HTTP, url=server.url("/redirect?to=/echo"), auth={"type": "bearer", "token": "abc"})

    assert server.requests[1]["headers"]["Authorization"] == "Bearer abc"


def test_a_post_becomes_a_get_after_303_and_stays_a_post_after_307(server: Server) -> None:
    for code in (303, 307):
        run(HTTP, method="POST", url=server.url(f"/redirect?code={code}&to=/echo"), body="data")

    _, after_303, _, after_307 = server.requests
    assert (after_303["method"], after_303["body"]) == ("GET", b"")
    assert (after_307["method"], after_307["body"]) == ("POST", b"data")


def test_a_redirect_is_an_answer_when_it_is_not_to_be_followed(server: Server) -> None:
    result = run(HTTP, url=server.url("/redirect?to=/echo"), follow_redirects=False, expected_statuses=[302])

    assert result["status"] == 302
    assert len(server.requests) == 1


def test_redirects_without_end_are_given_up(server: Server) -> None:
    assert failure(url=server.url("/loop")).reason == "too_many_redirects"


def test_a_redirect_to_something_else_than_http_is_refused(server: Server) -> None:
    assert failure(url=server.url("/redirect?to=file:///etc/passwd")).reason == "bad_redirect"


# Deadlines and cancelling


@pytest.mark.parametrize("path", ["/silence", "/dripping-headers", "/dripping-body"])
def test_the_deadline_ends_a_request_however_the_server_stalls(server: Server, path: str) -> None:
    with pytest.raises(HandlerTimedOut):
        run(HTTP, make_context(seconds=1), url=server.url(path))
    assert server.begun.is_set()


@pytest.mark.parametrize("path", ["/silence", "/dripping-headers", "/dripping-body"])
def test_cancelling_ends_a_request_at_once(server: Server, path: str) -> None:
    context = make_context()
    future = start(HTTP, context, url=server.url(path))
    assert server.begun.wait(30)

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)


@pytest.mark.parametrize("path", ["/silence", "/dripping-headers", "/dripping-body"])
def test_cancelling_ends_an_encrypted_request_at_once(tls_server: Server, path: str) -> None:
    context = make_context()
    future = start(HTTP, context, url=tls_server.url(path), verify_tls=False)
    assert tls_server.begun.wait(30)

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)


def test_cancelling_reaches_a_connection_that_was_used_before(server: Server) -> None:
    run(HTTP, url=server.url("/status?code=200"))
    context = make_context()
    future = start(HTTP, context, url=server.url("/silence"))
    assert server.begun.wait(30)

    context.cancel()

    assert isinstance(future.exception(30), HandlerCancelled)
    assert len(server.connections) == 1


def test_nothing_is_sent_when_the_work_is_cancelled_before_it_begins(server: Server) -> None:
    context = make_context()
    context.cancel()

    with pytest.raises(HandlerCancelled):
        run(HTTP, context, url=server.url("/echo"))
    assert server.requests == []


# Connections


def test_connections_are_kept_for_the_next_execution(server: Server) -> None:
    for _ in range(3):
        run(HTTP, url=server.url("/status?code=200"))

    assert len(server.requests) == 3
    assert len(server.connections) == 1


def test_executions_do_not_share_cookies(server: Server) -> None:
    first = run(HTTP, url=server.url("/cookie"))
    run(HTTP, url=server.url("/echo"))

    assert "Set-Cookie" not in first["headers"]
    assert "Cookie" not in server.requests[1]["headers"]


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server: Server) -> None:
    assert failure(url=tls_server.url("/echo", host="localhost")).reason == "tls_failed"
    assert tls_server.requests == []


def test_a_certificate_is_not_looked_at_when_the_task_says_so(tls_server: Server) -> None:
    assert run(HTTP, url=tls_server.url("/status?code=200"), verify_tls=False)["status"] == 200


def test_a_closed_port_is_a_failed_connection_and_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    error = failure(url=f"http://127.0.0.1:{port}/")

    assert error.reason == "connection_failed"
    assert error.message == f"No connection to 127.0.0.1:{port}: Connection refused."


def test_a_name_that_does_not_exist_is_a_failed_connection() -> None:
    error = failure(url="http://no-such-host.invalid/")

    assert error.reason == "connection_failed"
    assert "no-such-host.invalid" in error.message


def test_an_answer_that_breaks_off_is_a_failure(server: Server) -> None:
    assert failure(url=server.url("/broken")).reason == "incomplete_response"


# What is kept


def test_a_long_answer_is_read_to_its_end_and_kept_up_to_the_cap(server: Server, log: MemoryLog) -> None:
    result = run(HTTP, make_context(log), url=server.url("/bytes?value=65&count=300000"), max_response_bytes=1000)

    assert result["body"] == "A" * 1000
    assert result["truncated"] is True
    assert "300000 bytes" in log.text("log")


def test_json_is_kept_as_json(server: Server) -> None:
    result = run(HTTP, url=server.url("/json"), query={"text": '{"n": 1}'})

    assert result["json"] == {"n": 1}
    assert "body" not in result


@pytest.mark.parametrize("text", ['{"n": NaN}', '"\\u0000"', '"\\ud800"', "1e999", "not json", "[" * 100_0])
def test_json_that_cannot_be_stored_is_kept_as_text(server: Server, text: str) -> None:
    result = run(HTTP, url=server.url("/json"), query={"text": text})

    assert result["body"] == text
    assert "json" not in result


@pytest.mark.parametrize("value", [0, 1, 255])
def test_an_answer_of_any_bytes_can_be_stored(server: Server, value: int) -> None:
    result = run(HTTP, url=server.url(f"/bytes?value={value}&count=1000000"), max_response_bytes=1024 * 1024)

    assert result["truncated"] is True
    assert "\x00" not in result["body"]


# Where requests may go


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.1.1",
        "2852039166",  # 169.254.169.254 as one number
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "[::]",
    ],
)
def test_addresses_where_machines_keep_credentials_are_refused(host: str) -> None:
    error = failure(url=f"http://{host}/latest/meta-data")

    assert error.reason == "egress_refused"
    assert error.retryable is False


def test_a_redirect_to_the_metadata_service_is_refused(server: Server) -> None:
    error = failure(url=server.url("/redirect?to=http://169.254.169.254/latest/meta-data"))

    assert error.reason == "egress_refused"
    assert len(server.requests) == 1


def test_a_name_that_resolves_to_a_refused_address_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolves_elsewhere(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolves_elsewhere)

    assert failure(url="http://innocent.example/").reason == "egress_refused"


def test_the_address_that_was_checked_is_the_one_that_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = socket.getaddrinfo, list[str]()

    def rebinds(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        good = asked.count("rebinding.example") == 1 and host == "rebinding.example"
        if host == "rebinding.example":
            return real("127.0.0.1" if good else "169.254.169.254", port, *args, **kwargs)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinds)

    result = run(HTTP, url=server.url("/status?code=200", host="rebinding.example"))

    assert result["status"] == 200
    assert asked.count("rebinding.example") == 1


def test_the_policy_can_be_switched_off(server: Server, settings: Settings) -> None:
    settings.WORKERS = {"HTTP_ALLOW_LINK_LOCAL": True}

    # Linux takes 0.0.0.0 for this machine.
    assert run(HTTP, url=server.url("/status?code=200", host="0.0.0.0"))["status"] == 200  # noqa: S104 - as above


# What can be saved


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "params.url: Field required"),
        ({"url": "ftp://host/"}, "params.url: A URL that begins with http:// or https:// and names a host"),
        ({"url": "http://"}, "params.url: A URL that begins with http:// or https:// and names a host"),
        ({"url": "http://host:99999/"}, "params.url: This is not a URL"),
        (
            {"url": "http://a:b@host/"},
            "params.url: Credentials belong in the field auth, because URLs are shown",
        ),
        ({"url": "http://host/ x"}, "params.url: A URL has no spaces"),
        ({"url": "http://host/", "methd": "GET"}, "params.methd: There is no such field"),
        ({"url": "http://host/", "method": "BREW"}, "params.method: Input should be 'GET'"),
        ({"url": "http://host/", "body": "a", "json": 1}, "params: Either a body or JSON, not both"),
        (
            {"url": "http://host/", "headers": {"a b": "c"}},
            "params.headers: 'a b' is not the name of a header",
        ),
        (
            {"url": "http://host/", "headers": {"a": "b\r\nc: d"}},
            "params.headers: A header has no line breaks",
        ),
        (
            {"url": "http://host/", "headers": {"rota-execution": "1"}},
            "params.headers: The header rota-execution",
        ),
        ({"url": "http://host/", "auth": {"type": "basic"}}, "params.auth.user: Field required"),
        (
            {"url": "http://host/", "expected_statuses": [200, "2xx"]},
            "params.expected_statuses.1: A status such",
        ),
        (
            {"url": "http://host/", "expected_statuses": ["299-200"]},
            "params.expected_statuses.0: A status such",
        ),
    ],
)
def test_params_that_cannot_work_are_refused_with_their_place(params: dict[str, Any], error: str) -> None:
    errors = [str(each) for each in HTTP.check_params(params)]

    assert len(errors) == 1
    assert errors[0].startswith(error)


def test_defaults_are_not_written_into_saved_params() -> None:
    given = {"url": "http://host/", "json": {"a": None}, "expected_statuses": ["204"]}

    assert HTTP.normalise(given) == {
        "url": "http://host/",
        "json": {"a": None},
        "expected_statuses": [204],
    }
