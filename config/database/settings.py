"""DATABASES["default"], made from DATABASE_URL or, without one, for the embedded server."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

ENGINE = "config.database.backend"
SCHEMES = ("postgresql", "postgres", "pgsql")
EMBEDDED_DATABASE = "rota"
CONNECT_TIMEOUT_SECONDS = 5
_EXAMPLE = "postgresql://user:password@host:5432/database"


def database_config(url: str | None, home: Path) -> dict[str, Any]:
    """Returns the settings of the one database.

    `url` is a libpq-style address whose query holds connection options (`?sslmode=require`); None selects the
    embedded server, whose files live in `home` and which starts when the first connection is opened, never
    before. A url that is not PostgreSQL's, or not a url, is refused with ImproperlyConfigured in one sentence
    that repeats no part of it, for any part may be a piece of a password that was not percent-encoded.
    """
    config = _embedded(home) if url is None else _parsed(url)
    config["ENGINE"] = ENGINE
    config["CONN_HEALTH_CHECKS"] = True
    options = config.setdefault("OPTIONS", {})
    options.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    options.setdefault("application_name", "rota")
    return config


def _embedded(home: Path) -> dict[str, Any]:
    return {"NAME": EMBEDDED_DATABASE, "EMBEDDED_HOME": str(home)}


def _parsed(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        if parts.scheme and parts.scheme not in SCHEMES and "://" in url:
            raise ImproperlyConfigured(f"DATABASE_URL must name a PostgreSQL server, such as {_EXAMPLE}.")
        if not parts.scheme or "://" not in url:
            raise ImproperlyConfigured(f"DATABASE_URL must be a url such as {_EXAMPLE}.")
        if parts.fragment or "@" in parts.path + parts.query or parts.netloc.count("@") > 1:
            raise ImproperlyConfigured(
                "DATABASE_URL cannot be read: percent-encode the special characters of the user name and the "
                "password (@ is %40, / is %2F, # is %23, ? is %3F, : is %3A)."
            )
        config: dict[str, Any] = dict(dj_database_url.parse(url))
    except ValueError:
        raise ImproperlyConfigured(
            f"DATABASE_URL cannot be read: it must look like {_EXAMPLE}, with special characters "
            "percent-encoded (@ is %40, / is %2F, # is %23, ? is %3F, : is %3A)."
        ) from None
    if not config["NAME"]:
        raise ImproperlyConfigured(f"DATABASE_URL names no database: it must look like {_EXAMPLE}.")
    return config
