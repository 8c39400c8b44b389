"""What the workers run while everything is being killed."""

from __future__ import annotations

import random
import time

from workers.functions import task
from workers.handlers.base import TryLater


@task(name="chaos.quick")
def quick() -> None:
    """Succeed at once."""


@task(name="chaos.slow")
def slow() -> None:
    """Take up to a second."""
    time.sleep(random.random())


@task(name="chaos.flaky")
def flaky() -> None:
    """Fail now and then, so that there are retries."""
    time.sleep(random.random() / 4)
    if random.random() < 0.3:
        raise RuntimeError("one of those days")


@task(name="chaos.later")
def later() -> None:
    """Ask to be tried later now and then."""
    if random.random() < 0.3:
        raise TryLater(0.2, "Not yet.")
