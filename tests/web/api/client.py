"""A client that speaks JSON and shows its token, as a real one does."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client as DjangoClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User


class Answer:
    """What came back."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers: Any = response.headers
        content = b"".join(response.streaming_content) if response.streaming else response.content
        self.text: str = content.decode()
        self._json = response.json if "json" in response.headers.get("Content-Type", "") else None

    @property
    def json(self) -> Any:
        """The body."""
        assert self._json is not None, f"not JSON: {self.status} {self.text[:500]}"
        return self._json()

    def created(self) -> Any:
        """The body of a 201."""
        assert self.status == 201, self.text
        return self.json

    def ok(self) -> Any:
        """The body of a 200."""
        assert self.status == 200, self.text
        return self.json

    def problems(self) -> Any:
        """The body of a 400."""
        assert self.status == 400, f"{self.status} {self.text[:500]}"
        return self.json


class Client:
    """Calls addresses below /api/v1/."""

    def __init__(self, token: str | None = None) -> None:
        self._client = DjangoClient()
        self._token = token

    def request(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Answer:
        """Send one request; ``body`` is sent as JSON, or as it is when it is bytes."""
        sent = dict(headers or {})
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}"
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = sent.pop("Content-Type", "application/json")
        address = path if path.startswith(("/", "http")) else f"/api/v1/{path}"
        return Answer(self._client.generic(method, address, data, kind, headers=sent))

    def get(self, path: str) -> Answer:
        """Send a GET."""
        return self.request("GET", path)

    def post(self, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Answer:
        """Send a POST."""
        return self.request("POST", path, body, headers=headers)

    def results(self, path: str) -> list[Any]:
        """The rows of a list's first page."""
        rows: list[Any] = self.get(path).ok()["results"]
        return rows

    def walk(self, path: str, *, link: str = "next") -> list[list[Any]]:
        """The pages from ``path`` on, following ``link`` to its end."""
        pages: list[list[Any]] = []
        address: str | None = path
        while address is not None:
            body = self.get(address).ok()
            pages.append(body["results"])
            address = body[link]
            assert len(pages) < 100, "the walk does not end"
        return pages


def client_of(user: User) -> Client:
    """The API as ``user`` uses it, with a real token."""
    return Client(str(AccessToken.for_user(user)))
