"""The index of a log, its search, and the whole of it as a file."""

from __future__ import annotations

import pytest

from tests.factories import make_namespace, make_task, make_user
from tests.web.admin.history import make_execution, make_instance, make_log
from tests.web.api.client import Client, client_of
from workers.models import Execution

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution(history: None) -> Execution:
    """An execution that has ended, with a log of two streams."""
    made = make_execution(make_instance(make_task()))
    make_log(made, ("stdout", "one\ntwo"), ("stdout", " more\n"), ("stderr", "加油"), ("stdout", "Two\n"))
    return made


def test_the_index_tells_the_place_of_every_chunk_without_its_text(api: Client, execution: Execution) -> None:
    index = api.get(f"executions/{execution.pk}/log/index/").ok()
    assert index["seq"] == [0, 1, 2, 3]
    assert index["stream"] == ["stdout", "stdout", "stderr", "stdout"]
    assert index["bytes"] == [7, 6, 6, 4]
    assert index["lines"] == [1, 1, 0, 1]
    assert index["unended"] == [True, False, True, False]
    assert (index["next_after"], index["more"], index["complete"], index["state"]) == (3, False, True, "succeeded")
    rest = api.get(f"executions/{execution.pk}/log/index/?after=3").ok()
    assert (rest["seq"], rest["next_after"], rest["complete"]) == ([], 3, True)


def test_a_search_names_lines_also_where_one_was_cut_between_chunks(api: Client, execution: Execution) -> None:
    path = f"executions/{execution.pk}/log/search/"
    assert api.get(f"{path}?text=two").ok() == {"lines": [2, 4], "total": 2}
    assert api.get(f"{path}?text=TWO%20M").ok() == {"lines": [2], "total": 1}
    assert api.get(f"{path}?text=two&stream=stderr").ok() == {"lines": [], "total": 0}
    assert "text" in api.get(path).problems()
    assert api.get(f"{path}?text={'x' * 501}").status == 400
    assert api.get(f"{path}?text=a&unknown=1").status == 400


def test_the_file_is_the_log_as_it_was_written(api: Client, execution: Execution) -> None:
    answer = api.get(f"executions/{execution.pk}/log/?render=text")
    assert answer.text == "one\ntwo more\n加油Two\n"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_who_may_not_see_the_execution_sees_no_part_of_its_log(execution: Execution) -> None:
    make_namespace("other")
    stranger = client_of(make_user("stranger"))
    for part in ("index/", "search/?text=one", "?render=text"):
        assert stranger.get(f"executions/{execution.pk}/log/{part}").status == 404
