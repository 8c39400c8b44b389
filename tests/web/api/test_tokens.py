"""Logging in."""

from __future__ import annotations

from django.test import Client as DjangoClient
from django.urls import reverse

from accounts.models import User
from tests.factories import PASSWORD
from tests.web.api.client import Client


def test_a_name_and_a_password_are_exchanged_for_tokens_that_open_the_api(ada: User) -> None:
    pair = Client().post("auth/token/", {"username": "ada", "password": PASSWORD}).ok()
    assert Client(pair["access"]).get("tasks/").status == 200


def test_a_refresh_token_draws_a_new_access_token_and_opens_nothing_itself(ada: User) -> None:
    pair = Client().post("auth/token/", {"username": "ada", "password": PASSWORD}).ok()
    fresh = Client().post("auth/token/refresh/", {"refresh": pair["refresh"]}).ok()
    assert Client(fresh["access"]).get("tasks/").status == 200
    refused = Client(pair["refresh"]).get("tasks/")
    assert refused.status == 401
    assert isinstance(refused.json["detail"], str)


def test_a_wrong_password_is_refused_with_a_sentence(ada: User) -> None:
    answer = Client().post("auth/token/", {"username": "ada", "password": "guessed"})
    assert answer.status == 401
    assert isinstance(answer.json["detail"], str)


def test_a_user_who_was_deactivated_is_refused_with_the_token_that_they_still_have(ada: User) -> None:
    pair = Client().post("auth/token/", {"username": "ada", "password": PASSWORD}).ok()
    ada.is_active = False
    ada.save()
    assert Client(pair["access"]).get("tasks/").status == 401


def test_without_a_token_nothing_is_shown_and_the_scheme_is_named(db: None) -> None:
    for path in ("tasks/", "instances/", "executions/", "nodes/", "handlers/", "tasks/1/", "instances/1/"):
        answer = Client().get(path)
        assert answer.status == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), path
        assert isinstance(answer.json["detail"], str)


def test_a_browsers_session_reads_but_changes_nothing_without_its_csrf_token(ada: User) -> None:
    browser = DjangoClient(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert browser.get(reverse("api:task-list")).status_code == 200
    answer = browser.post(reverse("api:task-list"), "{}", content_type="application/json")
    assert answer.status_code == 403
