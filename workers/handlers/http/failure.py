"""What a request that got no answer means."""

from urllib.parse import urlsplit

import requests
from django.utils.translation import gettext
from requests import exceptions
from urllib3.exceptions import NameResolutionError

from workers.handlers.errors import HandlerError, HandlerTimedOut


def failure_of(error: requests.RequestException, url: str) -> HandlerError | HandlerTimedOut:
    """Return the error to raise for what requests raised on the way from ``url``."""
    asked = getattr(error.request, "url", None) or url
    host = urlsplit(asked).netloc.rpartition("@")[2]
    causes = _causes(error)
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return HandlerError("connection_failed", gettext("The name of %(host)s is not known.") % {"host": host})
    match error:
        case exceptions.SSLError():
            return HandlerError(
                "tls_failed", gettext("No secure connection to %(host)s: %(why)s.") % _why(host, causes)
            )
        case exceptions.ConnectTimeout():
            return HandlerError("connection_failed", gettext("%(host)s could not be reached in time.") % {"host": host})
        case exceptions.Timeout():
            return HandlerTimedOut()
        case exceptions.ChunkedEncodingError() | exceptions.ContentDecodingError():
            return HandlerError(
                "incomplete_response",
                gettext("%(host)s broke off its answer: %(why)s.") % _why(host, causes),
            )
        case exceptions.ConnectionError():
            return HandlerError(
                "connection_failed", gettext("No connection to %(host)s: %(why)s.") % _why(host, causes)
            )
        case exceptions.InvalidURL() | exceptions.InvalidHeader() | exceptions.InvalidSchema():
            return HandlerError("invalid_request", str(error), retryable=False)
        case _:
            return HandlerError("request_failed", gettext("%(host)s could not be asked: %(why)s.") % _why(host, causes))


def _why(host: str, causes: list[BaseException]) -> dict[str, str]:
    """Return what the deepest cause says; the ones above it only wrap it in class names."""
    cause = causes[-1]
    text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause) or type(cause).__name__
    return {"host": host, "why": text.rstrip(".")}


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in chain:
        chain.append(here)
        here = here.__cause__ or here.__context__
    return chain
