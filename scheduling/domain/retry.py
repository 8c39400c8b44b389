"""Whether another attempt follows one that failed, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from scheduling.domain.policies import Backoff


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What a retry rule looks at in a failed attempt."""

    #: Every word that names this kind of failure: its reason (``timed_out``), an exit code (``75``), an HTTP status
    #: and its class (``503``, ``5xx``), the names of an exception and of its bases, short and dotted.
    kinds: frozenset[str]
    #: False when another attempt cannot end otherwise.
    retryable: bool = True
    #: The work itself asked for its next attempt after so many seconds, whatever the rule's delays and kinds are.
    retry_in: float | None = None
    #: Whoever was asked for something wishes to be left alone for so many seconds.
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """A task's rule about attempts; delays in seconds."""

    max_attempts: int = 1
    backoff: Backoff = Backoff.EXPONENTIAL
    delay_seconds: float = 10.0
    max_delay_seconds: float = 3600.0
    #: For `Backoff.LIST`: one delay for each attempt; the last one goes on.
    delays: tuple[float, ...] = ()
    #: Only failures of these kinds are tried again; of every kind when it is empty.
    retry_on: frozenset[str] = frozenset()
    #: Failures of these kinds are never tried again.
    give_up_on: frozenset[str] = frozenset()

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Self:
        """Return the rule that a task's stored definition says; a field that older definitions lack has its default."""
        return cls(
            max_attempts=definition["max_attempts"],
            backoff=Backoff(definition["retry_backoff"]),
            delay_seconds=definition["retry_delay_seconds"],
            max_delay_seconds=definition["retry_max_delay_seconds"],
            delays=tuple(definition.get("retry_delays") or ()),
            retry_on=frozenset(definition.get("retry_on") or ()),
            give_up_on=frozenset(definition.get("give_up_on") or ()),
        )

    def delay_after_failure(self, failure: Failure, attempt: int, *, chance: float) -> float | None:
        """Return the seconds until the next attempt after ``attempt`` (from 1) failed so, or None to give up.

        ``give_up_on`` beats everything; ``retry_on`` does not bind work that asks for its retry itself. What
        somebody else wishes is granted up to the longest delay. ``chance`` is a random number in [0, 1).
        """
        if attempt >= self.max_attempts or not failure.retryable or failure.kinds & self.give_up_on:
            return None
        if failure.retry_in is not None:
            return failure.retry_in
        if self.retry_on and not failure.kinds & self.retry_on:
            return None
        if failure.retry_after is not None:
            return min(failure.retry_after, self.max_delay_seconds)
        return self.delay_after(attempt, chance=chance)

    def delay_after(self, attempt: int, *, chance: float) -> float | None:
        """Return the seconds until the next attempt after ``attempt`` (from 1) failed, or None to give up.

        Exponential backoff with full jitter: anywhere between nothing and delay × 2^(attempt − 1), so that tasks
        that failed together do not come back together. ``chance`` is a random number in [0, 1). Source: M. Brooker,
        "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
        """
        if attempt >= self.max_attempts:
            return None
        if self.backoff is Backoff.LIST and self.delays:
            return self.delays[min(attempt, len(self.delays)) - 1]
        if self.backoff is Backoff.FIXED:
            return min(self.delay_seconds, self.max_delay_seconds)
        # 2^62 seconds is far beyond every cap; a larger exponent would only overflow.
        ceiling = min(self.max_delay_seconds, self.delay_seconds * 2.0 ** min(attempt - 1, 62))
        return ceiling * chance


def exception_kinds(error: BaseException) -> frozenset[str]:
    """Return the names of an exception's class and of its bases, each short and dotted (``shop.errors.Busy``)."""
    names = set[str]()
    for each in type(error).__mro__[:-1]:
        names.add(each.__name__)
        if each.__module__ != "builtins":
            names.add(f"{each.__module__}.{each.__qualname__}")
    return frozenset(names)
