"""A pytest plugin: the fixture `virtual_scheduler`, for asserting what tasks will do at any moment of any year.

Add ``pytest_plugins = ["scheduling.testing"]`` to your top conftest.py; docs/simulate.md shows a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from scheduling.virtual_world import VirtualWorld


@pytest.fixture
def virtual_scheduler(db: None) -> Iterator[Callable[[datetime | str], VirtualWorld]]:
    """Make worlds whose clock begins at a given moment; when the test ends, nothing of them is left.

    A second world of the same test is opened inside the first, and covers it.
    """
    # Plugins are imported before Django knows its settings.
    from scheduling.virtual_world import VirtualWorld

    with ExitStack() as stack:
        yield lambda start: VirtualWorld(start, stack)
