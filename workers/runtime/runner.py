"""One attempt, from its claim to its report."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from scheduling.domain.states import Reason
from workers.domain.outcome import UnstorableResult, checked_result
from workers.domain.states import ExecutionState
from workers.engine.claim import Claimed
from workers.engine.complete import Report
from workers.handlers.base import (
    Handler,
    HandlerCancelled,
    HandlerContext,
    HandlerError,
    HandlerTimedOut,
    exception_message,
)
from workers.handlers.limit_watch import refuse_limits_without_process
from workers.runtime.definitions import Definition

logger = logging.getLogger(__name__)

#: A sentence, not a page: what goes beyond is cut.
LONGEST_MESSAGE = 2000


def run_attempt(
    claimed: Claimed,
    definition: Definition,
    handler: Handler[Any] | None,
    context: HandlerContext,
    params: Mapping[str, Any],
) -> Report:
    """Run one attempt to its end and return what to report; never raises for anything the handler does."""
    try:
        if handler is None:
            raise HandlerError(
                Reason.UNKNOWN_HANDLER,
                f"This worker has no handler called “{claimed.handler}”.",
                retryable=False,
            )
        if not handler.runs_processes:
            refuse_limits_without_process(context.limits)
        value = handler.run(context, handler.parse(params))
        return _report(claimed, ExecutionState.SUCCEEDED, Reason.COMPLETED, "", checked_result(value))
    except UnstorableResult as error:
        context.write("stderr", f"{error}\n")
        return _report(claimed, ExecutionState.FAILED, error.reason, str(error))
    except HandlerCancelled as error:
        return _report(claimed, ExecutionState.CANCELLED, Reason.CANCELLED, error.message)
    except HandlerTimedOut as error:
        retry = _retry(claimed, definition)
        return _report(claimed, ExecutionState.TIMED_OUT, Reason.TIMED_OUT, error.message, retry_seconds=retry)
    except HandlerError as error:
        if context.cancelled:
            return _report(claimed, ExecutionState.CANCELLED, Reason.CANCELLED, error.message)
        return _report(
            claimed,
            ExecutionState.FAILED,
            error.reason,
            error.message,
            _result_or_none(error.result),
            _retry(claimed, definition) if error.retryable else None,
        )
    except BaseException as error:  # noqa: BLE001 - SystemExit in a handler must not end the worker's thread
        context.log_exception(error)
        if context.cancelled:
            return _report(claimed, ExecutionState.CANCELLED, Reason.CANCELLED, exception_message(error))
        return _report(
            claimed,
            ExecutionState.FAILED,
            Reason.EXCEPTION,
            exception_message(error),
            retry_seconds=_retry(claimed, definition),
        )


def make_context(
    claimed: Claimed,
    definition: Definition,
    *,
    sink: Callable[[str, str], None],
    connection_urls: Callable[[str], str],
) -> HandlerContext:
    """Return what the handler gets to know about this attempt."""
    return HandlerContext(
        namespace=definition.namespace,
        task_name=definition.name,
        instance_id=claimed.instance_id,
        execution_id=claimed.lease_id,
        attempt=claimed.attempt,
        scheduled_for=claimed.scheduled_for,
        idempotency_key=f"rota-{claimed.instance_id}",
        deadline=None if claimed.timeout_seconds is None else time.monotonic() + claimed.timeout_seconds,
        kill_grace_seconds=definition.kill_grace_seconds,
        limits=definition.limits,
        sink=sink,
        connection_urls=connection_urls,
    )


def _retry(claimed: Claimed, definition: Definition) -> float | None:
    # Jitter spreads load; nobody gains by guessing it.
    return definition.retry.delay_after(claimed.attempts_of_its_own, chance=random.random())  # noqa: S311 - see above


def _result_or_none(value: Any) -> str | None:
    try:
        return None if value is None else checked_result(value)
    except UnstorableResult:
        return None


def _report(
    claimed: Claimed,
    state: ExecutionState,
    reason: str,
    message: str,
    result: str | None = None,
    retry_seconds: float | None = None,
) -> Report:
    return Report(
        instance_id=claimed.instance_id,
        lease_id=claimed.lease_id,
        scheduled_for=claimed.scheduled_for,
        state=state,
        reason=str(reason)[:50],
        message=storable(message)[:LONGEST_MESSAGE],
        result=result,
        retry_seconds=retry_seconds,
    )


def storable(text: str) -> str:
    """Return ``text`` without what PostgreSQL's text type refuses: NUL and lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
