"""Sends one request and judges the answer."""

import json
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from django.utils.translation import gettext
from requests.auth import AuthBase, HTTPBasicAuth

from workers.handlers.base import Handler, HandlerContext, HandlerError, HandlerTimedOut
from workers.handlers.context import LOG
from workers.handlers.http.egress import check_name
from workers.handlers.http.failure import failure_of
from workers.handlers.http.params import BasicAuth, BearerAuth, HttpParams
from workers.handlers.http.pool import ConnectionCut, current_cut, new_session
from workers.handlers.http.response import Body, read_body, result_of
from workers.handlers.http.retry_after import retry_after
from workers.handlers.interrupt import Interruptible

#: How long a connection may take to be made, and how long everything may take when the task has no time
#: limit.
CONNECT_SECONDS = 10.0
DEFAULT_TOTAL_SECONDS = 300.0
MAX_REDIRECTS = 10

#: What a host may not learn about another one.
_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_BODY_HEADERS = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding"})


class HttpHandler(Handler[HttpParams]):
    """Calls a URL. One deadline holds for all of it: connecting, redirects, headers and body."""

    name = "http"
    Params = HttpParams

    @property
    def label(self) -> str:
        """The title in the active language."""
        return gettext("HTTP request")

    def run(self, context: HandlerContext, params: HttpParams) -> dict[str, Any]:
        """Send the request, follow its redirects, and return the answer.

        Raises HandlerError with ``unexpected_status`` (and the answer as its result), ``egress_refused``,
        ``connection_failed``, ``tls_failed``, ``incomplete_response``, ``bad_redirect``,
        ``too_many_redirects`` or ``invalid_request``.
        """
        started = time.monotonic()
        deadline = context.deadline if context.deadline is not None else started + DEFAULT_TOTAL_SECONDS
        cut = ConnectionCut()
        token = current_cut.set(cut)
        try:
            with Interruptible(context, cut.cut, deadline) as watch:
                try:
                    exchange = _Exchange(context, params, watch, deadline)
                    response, body = exchange.follow()
                except requests.RequestException as error:
                    # The cut connection raises whatever the library makes of it; why it was cut is what
                    # matters.
                    watch.check()
                    raise failure_of(error, params.url) from error
        finally:
            current_cut.reset(token)
            cut.close()
        elapsed = time.monotonic() - started
        result = result_of(response, body, elapsed)
        phrase = _phrase(response.status_code)
        context.write(
            LOG, f"{exchange.method} {response.url} answered {phrase}, {body.length} bytes, {elapsed:.3f} s\n"
        )
        if not params.expects(response.status_code):
            message = gettext("%(url)s answered %(status)s, expected %(expected)s.") % {
                "url": response.url,
                "status": phrase,
                "expected": ", ".join(map(str, params.expected_statuses)),
            }
            raise HandlerError(
                "unexpected_status",
                message,
                result,
                kinds=(str(response.status_code), f"{response.status_code // 100}xx"),
                retry_after=retry_after(response),
            )
        return result


class _Exchange:
    """A request and the requests that its redirects lead to."""

    def __init__(self, context: HandlerContext, params: HttpParams, watch: Interruptible, deadline: float) -> None:
        self.method: str = params.method
        self._context = context
        self._params = params
        self._watch = watch
        self._deadline = deadline
        self._session = new_session()
        self._url = params.url
        self._query: list[tuple[str, str]] | None = params.query_pairs()
        self._auth: AuthBase = _auth(params)
        self._headers, self._data = _content(context, params)

    def follow(self) -> tuple[requests.Response, Body]:
        """Send the request and follow its redirects; return the last response with its body, read."""
        for _hop in range(MAX_REDIRECTS + 1):
            response = self._send()
            try:
                body = read_body(response, self._params.max_response_bytes, self._watch.check)
            finally:
                response.close()
            target = self._session.get_redirect_target(response) if self._params.follow_redirects else None
            if target is None:
                return response, body
            self._redirect(response, target)
        message = gettext("%(url)s led to more than %(limit)d redirects.") % {
            "url": self._params.url,
            "limit": MAX_REDIRECTS,
        }
        raise HandlerError("too_many_redirects", message, retryable=False)

    def _send(self) -> requests.Response:
        check_name(urlsplit(self._url).hostname or "")
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise HandlerTimedOut
        return self._session.request(
            self.method,
            self._url,
            params=self._query,
            headers=self._headers,
            data=self._data,
            auth=self._auth,
            allow_redirects=False,
            stream=True,
            verify=None if self._params.verify_tls else False,
            timeout=(min(CONNECT_SECONDS, remaining), remaining),
        )

    def _redirect(self, response: requests.Response, target: str) -> None:
        """Turn into the request that the response asks for (RFC 9110, section 15.4)."""
        url = urljoin(response.url, target)
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = gettext("%(url)s redirects to %(target)s, which is not an HTTP address.") % {
                "url": response.url,
                "target": target[:200],
            }
            raise HandlerError("bad_redirect", message, retryable=False)
        # Credentials that a server puts into a redirect are not ours to use.
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._context.write(LOG, f"{self.method} {response.url} answered {_phrase(response.status_code)}, to {url}\n")
        becomes_get = response.status_code == 303 or (response.status_code in {301, 302} and self.method == "POST")
        if becomes_get and self.method != "HEAD":
            self.method, self._data = "GET", None
            self._drop_headers(_BODY_HEADERS)
        if self._session.should_strip_auth(response.url, url):  # type: ignore[no-untyped-call]  # no types yet
            self._auth = _NoAuth()
            self._drop_headers(_CREDENTIAL_HEADERS)
        self._url, self._query = url, None

    def _drop_headers(self, names: frozenset[str]) -> None:
        self._headers = {name: value for name, value in self._headers.items() if name.lower() not in names}


class _NoAuth(AuthBase):
    """Sends no credentials: without any auth requests would look for some in the worker's ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Bearer(AuthBase):
    """Sends a bearer token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _auth(params: HttpParams) -> AuthBase:
    match params.auth:
        case BasicAuth(user=user, password=password):
            return HTTPBasicAuth(user.encode(), password.encode())
        case BearerAuth(token=token):
            return _Bearer(token)
        case _:
            return _NoAuth()


def _content(context: HandlerContext, params: HttpParams) -> tuple[dict[str, str], bytes | None]:
    """Return the headers and the body of the first request."""
    headers = {"User-Agent": "Rota", "Idempotency-Key": context.idempotency_key}
    data: bytes | None = None
    if params.has_json:
        data = json.dumps(params.json_body, ensure_ascii=False, allow_nan=False).encode()
        headers["Content-Type"] = "application/json"
    elif params.body is not None:
        data = params.body.encode("utf-8", "replace")
        headers["Content-Type"] = "text/plain; charset=utf-8"
    given = {name.lower() for name in params.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in given}
    return headers | params.headers | {"Rota-Execution": str(context.execution_id)}, data


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
