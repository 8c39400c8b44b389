"""What a handler or a registered function raises when its work did not succeed, or shall go on another time."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

#: The longest that work may put itself off: 30 days.
LONGEST_DELAY_SECONDS = 30 * 86400


class HandlerError(Exception):
    """The work failed.

    ``reason`` is a word for machines (``exit_code``, ``unexpected_status``, ``connection_failed``), ``message`` a
    sentence for people, ``result`` what is worth keeping of the attempt. ``retryable`` is False when another
    attempt cannot end otherwise. ``kinds`` are further words by which a task's ``retry_on`` and ``give_up_on`` may
    know the failure (``75``, ``503``, ``5xx``); the reason and the names of the error's classes are such words
    anyway. ``retry_after`` are the seconds for which whoever was asked for something wishes to be left alone.
    """

    #: The seconds after which the work itself wants its next attempt; None leaves that to the task.
    retry_in: float | None = None
    #: Whether the attempt counts as one of the task's attempts.
    counted: bool = True

    def __init__(
        self,
        reason: str,
        message: str,
        result: Any = None,
        retryable: bool = True,
        *,
        kinds: Iterable[str] = (),
        retry_after: float | None = None,
    ) -> None:
        """Remember why the work failed."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.result = result
        self.retryable = retryable
        self.kinds = frozenset(kinds)
        self.retry_after = retry_after


class RetryIn(HandlerError):
    """The attempt failed, and the next one shall come in so many seconds, whatever the task's delays say.

    It counts as an attempt: after the last one the instance fails. Raises ValueError for what is not more than
    nothing and at most 30 days.
    """

    def __init__(self, seconds: float | timedelta, message: str = "", result: Any = None) -> None:
        """Ask for the next attempt in ``seconds``."""
        self.retry_in = _delay(type(self).__name__, seconds)
        super().__init__("retry_asked", message or "The work asked to be tried again.", result)


class TryLater(HandlerError):
    """It is too early: put the instance back for so many seconds, and do not count this as an attempt.

    Raises ValueError for what is not more than nothing and at most 30 days.
    """

    counted = False

    def __init__(self, seconds: float | timedelta, message: str = "") -> None:
        """Ask to be run again in ``seconds``."""
        self.retry_in = _delay(type(self).__name__, seconds)
        super().__init__("put_off", message or "The work put itself off.")


class GiveUp(HandlerError):
    """The work failed, and no further attempt can end otherwise."""

    def __init__(self, message: str, result: Any = None) -> None:
        """End as failed with this sentence."""
        super().__init__("gave_up", message, result, retryable=False)


class HandlerTimedOut(Exception):
    """The work was stopped at its deadline."""

    def __init__(self, message: str = "The work did not end before its deadline and was stopped.") -> None:
        """Remember the sentence for people."""
        super().__init__(message)
        self.message = message


class HandlerCancelled(Exception):
    """The work was stopped because somebody asked for it."""

    def __init__(self, message: str = "The work was stopped because it was cancelled.") -> None:
        """Remember the sentence for people."""
        super().__init__(message)
        self.message = message


class CancelMe(HandlerCancelled):
    """The work found that it is not wanted: it ends as cancelled, which is no failure, and is not tried again."""

    def __init__(self, message: str) -> None:
        """End as cancelled with this sentence."""
        super().__init__(message)


class WorkStopped(BaseException):
    """Raised inside a function that runs in a thread of the worker, at its time limit or when it is cancelled.

    Not an Exception, so that a function that catches everything it can still ends. Do not catch it; clean up in
    ``finally``.
    """


def _delay(name: str, seconds: float | timedelta) -> float:
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    # Written so that NaN is refused too.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_DELAY_SECONDS:
        raise ValueError(
            f"{name} takes seconds, more than 0 and at most {LONGEST_DELAY_SECONDS} (30 days), not {seconds!r}."
        )
    return float(seconds)
