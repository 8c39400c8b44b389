"""The params of the ``http`` handler."""

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _n
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from workers.handlers.base import HandlerParams

#: How much of an answer is kept unless the task says otherwise, and the most that it may say: what a result
#: may hold.
DEFAULT_RESPONSE_BYTES = 64 * 1024
MAX_RESPONSE_BYTES = 1024 * 1024

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_RANGE = re.compile(r"([1-5]\d\d)-([1-5]\d\d)")

#: Headers that this handler writes itself.
RESERVED_HEADERS = frozenset({"rota-execution", "content-length", "transfer-encoding"})


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is not a number up to 65535
    except ValueError:
        raise ValueError(gettext("This is not a URL")) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(gettext("A URL that begins with http:// or https:// and names a host"))
    if parts.username is not None or parts.password is not None:
        raise ValueError(gettext("Credentials belong in the field auth, because URLs are shown and logged"))
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError(gettext("A URL has no spaces and no control characters; write them as %XX"))
    return url


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(gettext("%(name)r is not the name of a header") % {"name": name})
        if name.lower() in RESERVED_HEADERS:
            raise ValueError(gettext("The header %(name)s is written by the handler itself") % {"name": name})
        _check_header_value(value)
    return headers


def _check_header_value(value: str) -> str:
    if not value.isprintable() and value.replace("\t", "").isprintable() is False:
        raise ValueError(gettext("A header has no line breaks and no control characters"))
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(gettext("A header has only Latin-1 characters")) from None
    return value


def _checked_statuses(value: object) -> int | str:
    """Return 204 or "200-299" as it was meant, or raise ValueError."""
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
        return value
    if isinstance(value, str) and (match := _RANGE.fullmatch(value.strip())) and match[1] <= match[2]:
        return match[0]
    raise ValueError(gettext("A status such as 204 or a range such as 200-299"))


Secret = Annotated[str, Field(json_schema_extra={"format": "password"})]
HeaderText = Annotated[str, AfterValidator(_check_header_value)]
Statuses = Annotated[int | str, BeforeValidator(_checked_statuses)]
Scalar = str | bool | int | float


class BasicAuth(HandlerParams):
    """A user and a password (RFC 7617)."""

    type: Literal["basic"]
    user: str
    password: Secret = ""


class BearerAuth(HandlerParams):
    """A token (RFC 6750)."""

    type: Literal["bearer"]
    token: Annotated[HeaderText, Field(min_length=1, json_schema_extra={"format": "password"})]


class HttpParams(HandlerParams):
    """One HTTP request, and which answers are good."""

    # "json" is also the name of a method of pydantic's models, so the field has another name inside.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_alias=True, validate_by_name=False)

    method: Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"], BeforeValidator(_upper)] = (
        Field(default="GET", title=_n("Method"))
    )
    url: Annotated[str, AfterValidator(_checked_url)] = Field(title=_n("URL"))
    headers: Annotated[dict[str, str], AfterValidator(_checked_headers)] = Field(
        default_factory=dict, title=_n("Headers")
    )
    query: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict, title=_n("Query"), description=_n("Added to the URL's own query.")
    )
    body: str | None = Field(
        default=None, title=_n("Body"), description=_n("Sent as it is, in UTF-8. Either this or JSON.")
    )
    json_body: JsonValue = Field(
        default=None, alias="json", title=_n("JSON"), description=_n("Sent as application/json.")
    )
    auth: Annotated[BasicAuth | BearerAuth, Field(discriminator="type")] | None = Field(
        default=None, title=_n("Authentication")
    )
    expected_statuses: list[Statuses] = Field(
        default=["200-299"],
        min_length=1,
        title=_n("Expected statuses"),
        description=_n("Statuses or ranges; any other answer is a failure."),
    )
    verify_tls: bool = Field(default=True, title=_n("Verify the server's certificate"))
    follow_redirects: bool = Field(default=True, title=_n("Follow redirects"))
    max_response_bytes: int = Field(
        default=DEFAULT_RESPONSE_BYTES,
        ge=0,
        le=MAX_RESPONSE_BYTES,
        title=_n("Longest response to keep"),
        description=_n("In bytes. The rest is read and dropped."),
    )

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.body is not None and self.has_json:
            raise ValueError(gettext("Either a body or JSON, not both"))
        return self

    @property
    def has_json(self) -> bool:
        """Whether JSON is to be sent; null is JSON too."""
        return "json_body" in self.model_fields_set

    def expects(self, status: int) -> bool:
        """Whether a response of this status is a success."""
        return any(first <= status <= last for first, last in map(_bounds, self.expected_statuses))

    def query_pairs(self) -> list[tuple[str, str]]:
        """Return the query as texts, lists as repeated names."""
        pairs: list[tuple[str, Any]] = []
        for name, value in self.query.items():
            pairs += [(name, each) for each in value] if isinstance(value, list) else [(name, value)]
        return [(name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in pairs]


def _bounds(statuses: int | str) -> tuple[int, int]:
    if isinstance(statuses, int):
        return statuses, statuses
    first, last = statuses.split("-")
    return int(first), int(last)
