"""Policies that do not fit each other, the handler or the pool are refused, each beside its field."""

from __future__ import annotations

from typing import Any

import pytest

from scheduling.models import Pool, Task
from scheduling.services import find_problems
from tests.factories import make_namespace
from workers.functions import task as register

pytestmark = pytest.mark.django_db


@register(name="tests.policies.in_a_thread")
def in_a_thread(customer: int) -> None:
    """A function of a thread."""


@register(name="tests.policies.in_a_process", isolation="process")
def in_a_process(customer: int) -> None:
    """A function of a process."""


HTTP: dict[str, Any] = {"handler": "http", "params": {"url": "https://shop.example/", "json": {"customer": 7}}}
THREAD: dict[str, Any] = {
    "handler": "python",
    "params": {"function": "tests.policies.in_a_thread", "kwargs": {"customer": 7}},
}
PROCESS: dict[str, Any] = {
    "handler": "python",
    "params": {"function": "tests.policies.in_a_process", "kwargs": {"customer": 7}},
}


def problems(**over: Any) -> dict[str, str]:
    """What is wrong with a shell task that has these fields, the first sentence for each."""
    fields = {"handler": "shell", "params": {"command": "true"}, "trigger": "manual", **over}
    found: dict[str, str] = {}
    for problem in find_problems(Task(name="new", namespace=make_namespace(), **fields)):
        found.setdefault(problem.field, str(problem))
    return found


@pytest.mark.parametrize(
    "sound",
    [
        {"retry_backoff": "list", "retry_delays": [0, 10, 30 * 86400]},
        {"retry_on": ["0", "75", "255", "503", "5xx", "timed_out", "ValueError", "shop.errors.Busy"]},
        {"retry_on": ["5xx"], "give_up_on": ["503"]},
        {"concurrency_key": "nightly"},
        {"concurrency_key": "{{literal}}-{cwd}"},
        {"concurrency_key": "{env.CUSTOMER}"},
        {**HTTP, "concurrency_key": "customer-{json.customer}-{json.order.id}"},
        {**THREAD, "concurrency_key": "{kwargs.customer}"},
        {"timeout_seconds": 60, "soft_timeout_seconds": 59},
        {"soft_timeout_seconds": 59},
        {"max_processes": 3, "max_memory_mb": 64, "max_cpu_seconds": 5},
        {**PROCESS, "max_processes": 3},
    ],
)
def test_policies_that_fit_are_accepted(sound: dict[str, Any]) -> None:
    assert problems(**sound) == {}


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"retry_backoff": "list"}, "retry_delays", "at least one delay"),
        ({"retry_delays": [10]}, "retry_delays", "for a list of delays"),
        ({"retry_backoff": "list", "retry_delays": [5, 30 * 86400 + 1]}, "retry_delays", "1: A delay is at most"),
        ({"retry_backoff": "list", "retry_delays": [1] * 101}, "retry_delays", "at most 100 delays"),
        ({"retry_on": ["600"]}, "retry_on", "“600” names no kind of failure"),
        ({"retry_on": ["6xx"]}, "retry_on", "“6xx”"),
        ({"retry_on": ["5XX"]}, "retry_on", "“5XX”"),
        ({"retry_on": ["007"]}, "retry_on", "“007”"),
        ({"retry_on": ["-1"]}, "retry_on", "“-1”"),
        ({"give_up_on": ["no such word"]}, "give_up_on", "“no such word”"),
        ({"give_up_on": ["shop..Busy"]}, "give_up_on", "“shop..Busy”"),
        ({"retry_on": ["75", "75"]}, "retry_on", "twice"),
        ({"retry_on": ["75", "timed_out"], "give_up_on": ["timed_out"]}, "give_up_on", "“timed_out” also stands"),
        (
            {"concurrency_key": "customer-{customer_id}"},
            "concurrency_key",
            "no “customer_id”; there are: argv, command",
        ),
        ({"concurrency_key": "{command.first}"}, "concurrency_key", "no “command.first”"),
        ({"concurrency_key": "{}"}, "concurrency_key", "“{}” is not the name of a param"),
        ({"concurrency_key": "{a b}"}, "concurrency_key", "“{a b}”"),
        ({"concurrency_key": "a{b"}, "concurrency_key", "character 2 is alone"),
        ({"concurrency_key": "a}"}, "concurrency_key", "character 2 is alone"),
        ({**HTTP, "concurrency_key": "{auth.password}"}, "concurrency_key", "“auth.password” is a secret"),
        ({"timeout_seconds": 60, "soft_timeout_seconds": 60}, "soft_timeout_seconds", "before the time limit of 60 s"),
        ({**HTTP, "max_memory_mb": 64}, "max_memory_mb", "in processes of its own only"),
        ({**THREAD, "max_cpu_seconds": 5}, "max_cpu_seconds", 'isolation="process"'),
        ({"max_processes": 0}, "max_processes", "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_refused_beside_its_field(wrong: dict[str, Any], field: str, sentence: str) -> None:
    found = problems(**wrong)
    assert list(found) == [field]
    assert sentence in found[field]


def test_a_pool_is_of_the_same_namespace_and_an_instance_fits_into_it() -> None:
    near = Pool.objects.create(namespace=make_namespace(), name="database", slots=4)
    far = Pool.objects.create(namespace=make_namespace("other"), name="database", slots=4)
    closed = Pool.objects.create(namespace=make_namespace(), name="closed", slots=0)
    assert problems(pool=near, pool_weight=4) == {}
    assert problems(pool=closed, pool_weight=4) == {}
    assert problems(pool=near, pool_weight=5) == {
        "pool_weight": "The pool “database” has 4 slots; one instance cannot take 5."
    }
    assert problems(pool=far) == {"pool": "“database” is a pool of another namespace."}
