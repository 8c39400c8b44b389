"""Executions and their logs."""

from __future__ import annotations

import pytest

from tests.web.api.client import Client
from tests.web.api.work import end, free_task, running, write_log
from workers.domain.states import ExecutionState
from workers.models import Node


def test_an_execution_tells_where_it_ran_and_what_it_returned(api: Client) -> None:
    claimed = running(free_task(name="sum"))
    shown = api.get(f"executions/{claimed.lease_id}/").ok()
    assert (shown["state"], shown["finished_at"], shown["duration_seconds"]) == ("running", None, None)
    end(claimed, result='{"rows": [1, null, "é"]}')
    shown = api.get(f"executions/{claimed.lease_id}/").ok()
    assert shown["result"] == {"rows": [1, None, "é"]}
    assert (shown["state"], shown["reason"], shown["attempt"]) == ("succeeded", "completed", 1)
    assert (shown["task_name"], shown["instance"]) == ("sum", claimed.instance_id)
    assert shown["node"] == Node.objects.get().name
    assert shown["duration_seconds"] >= 0
    assert all(shown[name].endswith("Z") for name in ("scheduled_for", "started_at", "finished_at"))


def test_the_list_leaves_results_out(api: Client) -> None:
    claimed = running()
    end(claimed, result='"large"')
    assert "result" not in api.results("executions/")[0]


def test_every_attempt_of_an_instance_is_an_execution(api: Client) -> None:
    claimed = running(free_task(max_attempts=2))
    end(claimed, ExecutionState.FAILED, retry_seconds=3600.0)
    instance = api.get(f"instances/{claimed.instance_id}/").ok()
    assert (instance["state"], instance["waiting_for"]) == ("waiting", "retry")
    (attempt,) = api.results(f"executions/?instance={claimed.instance_id}")
    assert (attempt["state"], attempt["attempt"]) == ("failed", 1)


def test_an_execution_outlives_its_node(api: Client) -> None:
    claimed = running()
    end(claimed)
    Node.objects.all().delete()
    assert api.get(f"executions/{claimed.lease_id}/").ok()["node"] is None
    assert len(api.results("executions/")) == 1


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_a_log_is_read_in_ranges_without_a_gap_or_a_double(api: Client, limit: int) -> None:
    claimed = running()
    texts = [f"line {number}\n" for number in range(7)]
    write_log(claimed, *texts[:4])
    read: list[str] = []
    after = -1

    def read_on() -> bool:
        nonlocal after
        body = api.get(f"executions/{claimed.lease_id}/log/?after={after}&limit={limit}").ok()
        assert len(body["chunks"]) <= limit
        read.extend(chunk["text"] for chunk in body["chunks"])
        after = body["next_after"]
        complete: bool = body["complete"]
        return complete

    for _ in range(6):
        assert read_on() is False, "it still runs"
    assert read == texts[:4]
    write_log(claimed, *texts[4:], start=4)
    end(claimed)
    while not read_on():
        pass
    assert read == texts
    assert read_on() is True
    assert read == texts


def test_a_chunk_tells_its_stream_and_moment(api: Client) -> None:
    claimed = running()
    write_log(claimed, "häßlich ☂\n")
    body = api.get(f"executions/{claimed.lease_id}/log/").ok()
    assert body == {
        "chunks": [{"seq": 0, "stream": "stdout", "at": "2026-03-01T08:00:00Z", "text": "häßlich ☂\n"}],
        "next_after": 0,
        "complete": False,
    }


def test_a_log_without_output_is_complete_when_its_execution_has_ended(api: Client) -> None:
    claimed = running()
    path = f"executions/{claimed.lease_id}/log/"
    assert api.get(path).ok() == {"chunks": [], "next_after": -1, "complete": False}
    end(claimed)
    assert api.get(path).ok() == {"chunks": [], "next_after": -1, "complete": True}


def test_a_log_is_downloaded_as_one_plain_file(api: Client) -> None:
    claimed = running()
    write_log(claimed, "one\n", "two ☂\n", "three\n")
    answer = api.get(f"executions/{claimed.lease_id}/log/?render=text&limit=1")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.text == "one\ntwo ☂\nthree\n"
    assert api.get(f"executions/{claimed.lease_id}/log/?render=text&after=1").text == "three\n"


@pytest.mark.parametrize("query", ["after=-2", "after=x", "limit=0", "limit=501", "render=xml", "from=1"])
def test_a_range_that_cannot_be_is_refused_with_its_name(api: Client, query: str) -> None:
    claimed = running()
    assert query.split("=")[0] in api.get(f"executions/{claimed.lease_id}/log/?{query}").problems()
