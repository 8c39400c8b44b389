"""DATABASE_URL selects the server, and nothing of a wrong one is repeated."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.database.settings import database_config

HOME = Path("/home/rota")


def test_a_url_becomes_settings_of_our_backend() -> None:
    config = database_config("postgres://user%40corp:p%2Fw@db.example:6432/jobs?sslmode=require", HOME)
    assert config["ENGINE"] == "config.database.backend"
    assert (config["HOST"], config["PORT"], config["NAME"]) == ("db.example", 6432, "jobs")
    assert (config["USER"], config["PASSWORD"]) == ("user@corp", "p/w")
    assert config["CONN_HEALTH_CHECKS"] is True
    assert config["OPTIONS"] == {"sslmode": "require", "connect_timeout": 5, "application_name": "rota"}
    assert "EMBEDDED_HOME" not in config


def test_options_of_the_url_win() -> None:
    config = database_config("postgresql://h/d?connect_timeout=30&application_name=mine", HOME)
    assert config["OPTIONS"] == {"connect_timeout": 30, "application_name": "mine"}


def test_without_a_url_the_embedded_server_is_selected() -> None:
    config = database_config(None, HOME)
    assert config["ENGINE"] == "config.database.backend"
    assert (config["NAME"], config["EMBEDDED_HOME"]) == ("rota", "/home/rota")
    assert "HOST" not in config


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///sesame",
        "mysql://user:sesame@host/db",
        "sesame",
        "postgresql:sesame",
        "postgresql://user:sesame@host:port/db",
        "postgresql://user:sesame@host",
        "postgresql://user:sesame@oil@host/db",
        "postgresql://user:1/sesame@host/db",
        "postgresql://user:1#sesame@host/db",
        "postgresql://user:1?sesame@host/db",
        "postgresql://[sesame/db",
    ],
)
def test_what_is_no_address_of_a_postgresql_database_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        database_config(url, HOME)
    sentence = str(caught.value)
    assert "DATABASE_URL" in sentence
    assert "sesame" not in sentence
    assert "\n" not in sentence
