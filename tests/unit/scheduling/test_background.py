"""What runs beside a scheduler's loop."""

from __future__ import annotations

from typing import cast

import pytest

from scheduling.db import Connection
from scheduling.runtime.background import Background

pytestmark = [pytest.mark.unit]

#: Nothing here asks the database.
NONE = cast("Connection", None)


@pytest.mark.parametrize(("rests", "times"), [(0.0, 2), (1e12, 1)])
def test_work_that_has_run_rests_for_as_long_as_it_is_told(rests: float, times: int) -> None:
    done = []

    def work() -> int:
        done.append("once more")
        return 1

    background = Background("work", work, rests=rests)
    chore = background.maintainer(1)
    for _ in range(2):
        chore.run(NONE)
        assert background.wait(30)
    assert len(done) == times
