"""Why a benchmark was not run, or not to its end."""

from __future__ import annotations


class CannotMeasure(Exception):
    """A benchmark that would harm something, or that could not be cleaned up; the message says what to do."""


class ProcessEnded(Exception):
    """A scheduler or worker of the benchmark ended by itself; the message holds what it said."""


class Stuck(Exception):
    """Nothing ended for a long time, or not as it had to; the message says what was left."""
