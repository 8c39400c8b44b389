"""Which tests the processes of pytest-xdist take up, and in which order."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

#: They take long, some because they wait; those that follow fill the cores meanwhile, and the gaps at the end.
LONG = (
    "tests/browser",
    "tests/processes",
    "tests/consumers",
    "tests/performance",
    "tests/stateful",
    "tests/definitions",
    "tests/config",
)

#: Run by one process: each that runs some of them starts a browser and a web server.
TOGETHER = ("tests/browser",)

#: But these, which have servers of their own and would make that process the last by far.
APART = ("tests/browser/test_journey.py", "tests/browser/test_frozen_database.py")


class LongestFirst(LoadScopeScheduling):
    """Hands out whole modules, like its base, which begins with those that have the most tests."""

    def _split_scope(self, nodeid: str) -> str:
        found: str = super()._split_scope(nodeid)
        if found in APART:
            return found
        return next((folder for folder in TOGETHER if found.startswith(f"{folder}/")), found)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=self._rank), last=False)
        super()._assign_work_unit(node)

    def _rank(self, scope: str) -> tuple[int, int]:
        place = next((place for place, folder in enumerate(LONG) if scope.startswith(folder)), len(LONG))
        return place, -len(self.workqueue[scope])


def scheduler(config: pytest.Config, log: Producer) -> LongestFirst | None:
    """Return the scheduler for ``--dist loadscope``; None leaves any other to xdist."""
    return LongestFirst(config, log) if config.getvalue("dist") == "loadscope" else None
