"""What a handler raises when its work did not succeed."""

from typing import Any


class HandlerError(Exception):
    """The work failed.

    ``reason`` is a word for machines (``exit_code``, ``unexpected_status``, ``connection_failed``),
    ``message`` a sentence for people, ``result`` what is worth keeping of the attempt. ``retryable`` is False
    when another attempt cannot end otherwise.
    """

    def __init__(self, reason: str, message: str, result: Any = None, retryable: bool = True) -> None:
        """Remember why the work failed."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.result = result
        self.retryable = retryable


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
