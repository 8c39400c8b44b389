"""What happens to a running attempt whose time passes: first a warning, and in the end it is left to itself."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial

from django.utils.translation import gettext

from workers.handlers.alarm import Alarm, alarms
from workers.handlers.context import HandlerContext
from workers.runtime.definitions import Definition
from workers.runtime.log_buffer import NOTE

logger = logging.getLogger(__name__)

#: Work that was asked to end and whose kill grace is over has so many seconds more. Processes that the kernel is slow
#: to end need them; a function in a thread of the worker is given up as soon as its grace is over.
STUCK_SECONDS = 10.0


def watch_limits(context: HandlerContext, definition: Definition, write: Callable[[str, str], None]) -> Sequence[Alarm]:
    """Warn by ``write`` when the soft limit passes, and give the attempt up when it ignores the hard one.

    Returns what to cancel when the attempt has ended; nothing where there is no limit.
    """
    watching = []
    if context.soft_deadline is not None:
        watching.append(alarms.call_at(context.soft_deadline, partial(_warn, context, definition, write)))
    if context.deadline is not None:
        last = context.deadline + context.kill_grace_seconds + STUCK_SECONDS
        watching.append(alarms.call_at(last, context.on_stuck))
    return watching


def give_up_later(context: HandlerContext, *, kill: bool) -> None:
    """Give up an attempt that was just told to stop, should it not do so within its grace and a little more."""
    grace = 0.0 if kill else context.kill_grace_seconds
    alarms.call_at(time.monotonic() + grace + STUCK_SECONDS, context.on_stuck)


def where_it_is(thread: int) -> str:
    """Return what a thread is doing at this moment, as lines of a traceback; empty when it has ended."""
    frame = sys._current_frames().get(thread)
    return "" if frame is None else "".join(traceback.format_stack(frame))


def _warn(context: HandlerContext, definition: Definition, write: Callable[[str, str], None]) -> None:
    seconds = definition.soft_timeout_seconds
    write(NOTE, gettext("Still running after %(seconds)g s; it goes on.") % {"seconds": seconds} + "\n")
    logger.warning(
        "execution %d of %s still runs after %g s",
        context.execution_id,
        context.task_name,
        seconds,
        extra={"action": "soft_limit", "execution_id": context.execution_id, "instance_id": context.instance_id},
    )
