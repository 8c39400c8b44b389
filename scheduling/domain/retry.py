"""When the next attempt comes, after one that failed."""

from __future__ import annotations

from dataclasses import dataclass

from scheduling.domain.policies import Backoff


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """A task's rule about attempts; delays in seconds."""

    max_attempts: int = 1
    backoff: Backoff = Backoff.EXPONENTIAL
    delay_seconds: float = 10.0
    max_delay_seconds: float = 3600.0

    def delay_after(self, attempt: int, *, chance: float) -> float | None:
        """Return the seconds until the next attempt after ``attempt`` (from 1) failed, or None to give up.

        Exponential backoff with full jitter: anywhere between nothing and delay × 2^(attempt − 1), so that tasks
        that failed together do not come back together. ``chance`` is a random number in [0, 1). Source: M. Brooker,
        "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
        """
        if attempt >= self.max_attempts:
            return None
        if self.backoff is Backoff.FIXED:
            return min(self.delay_seconds, self.max_delay_seconds)
        # 2^62 seconds is far beyond every cap; a larger exponent would only overflow.
        ceiling = min(self.max_delay_seconds, self.delay_seconds * 2.0 ** min(attempt - 1, 62))
        return ceiling * chance
