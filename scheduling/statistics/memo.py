"""Memory for what is expensive: the longer it took, the longer it is good for, so that little time goes into it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

#: What took less time (seconds) is not worth being remembered.
CHEAP_SECONDS = 0.25

#: So many times as long as it took it is remembered: at most a twentieth of the time goes into it.
TIMES = 20

#: More answers than this are forgotten together.
MOST_ANSWERS = 100


class Memo(Generic[T]):
    """Answers by question, shared by all readers in this process."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[float, T]] = {}
        self._lock = Lock()

    def get(self, question: Hashable, find: Callable[[], T]) -> T:
        """Return the answer, remembered if it is good still; else as ``find`` finds it. Errors are not remembered."""
        began = monotonic()
        with self._lock:
            known = self._answers.get(question)
        if known is not None and began < known[0]:
            return known[1]
        answer = find()
        ended = monotonic()
        if ended - began > CHEAP_SECONDS:
            with self._lock:
                if len(self._answers) >= MOST_ANSWERS:
                    self._answers.clear()
                self._answers[question] = (ended + TIMES * (ended - began), answer)
        return answer
