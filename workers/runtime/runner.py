"""One attempt, from its claim to its report."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext

from scheduling.domain.retry import Failure, exception_kinds
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
        return _run(claimed, definition, handler, context, params)
    except BaseException as error:
        context.log_exception(error)
        logger.exception(
            "an error of execution %d of %s is not what it should be",
            claimed.lease_id,
            definition.name,
            extra={"action": "odd_error", "execution_id": claimed.lease_id, "instance_id": claimed.instance_id},
        )
        failure = Failure(kinds=frozenset({Reason.EXCEPTION}))
        return _report(
            claimed,
            ExecutionState.FAILED,
            Reason.EXCEPTION,
            exception_message(error),
            retry_seconds=_retry(claimed, definition, failure),
        )


def _run(
    claimed: Claimed,
    definition: Definition,
    handler: Handler[Any] | None,
    context: HandlerContext,
    params: Mapping[str, Any],
) -> Report:
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
        message = _soft_limit_passed(definition) if context.soft_expired else ""
        return _report(claimed, ExecutionState.SUCCEEDED, Reason.COMPLETED, message, checked_result(value))
    except UnstorableResult as error:
        context.write("stderr", f"{error}\n")
        return _report(claimed, ExecutionState.FAILED, error.reason, str(error))
    except HandlerCancelled as error:
        return _report(claimed, ExecutionState.CANCELLED, Reason.CANCELLED, error.message)
    except HandlerTimedOut as error:
        return _timed_out(claimed, definition, error.message)
    except HandlerError as error:
        if _was_cancelled(context):
            return _report(claimed, ExecutionState.CANCELLED, Reason.CANCELLED, error.message)
        report = _report(claimed, ExecutionState.FAILED, error.reason, error.message, _result_or_none(error.result))
        if not error.counted:
            return replace(report, retry_seconds=error.retry_in, counted=False)
        return replace(report, retry_seconds=_retry(claimed, definition, _failure(error)))
    except BaseException as error:  # noqa: BLE001 - SystemExit in a handler must not end the worker's thread
        context.log_exception(error)
        if _was_cancelled(context):
            return _report(claimed, ExecutionState.CANCELLED, Reason.CANCELLED, exception_message(error))
        failure = Failure(kinds=exception_kinds(error) | {Reason.EXCEPTION})
        return _report(
            claimed,
            ExecutionState.FAILED,
            Reason.EXCEPTION,
            exception_message(error),
            retry_seconds=_retry(claimed, definition, failure),
        )


def stuck_report(claimed: Claimed, definition: Definition, context: HandlerContext) -> Report:
    """Return the report about an attempt that did not end when it had to, and whose thread is left to itself."""
    if _was_cancelled(context):
        message = gettext("The work was told to stop and did not; its thread could not be stopped either.")
        return _report(claimed, ExecutionState.CANCELLED, Reason.CANCELLED, message)
    message = gettext("The work did not end before its deadline, and its thread could not be stopped.")
    return _timed_out(claimed, definition, message)


def make_context(
    claimed: Claimed,
    definition: Definition,
    *,
    sink: Callable[[str, str], None],
    connection_urls: Callable[[str], str],
    on_stuck: Callable[[], None],
) -> HandlerContext:
    """Return what the handler gets to know about this attempt, whose time begins now."""
    now = time.monotonic()
    soft = definition.soft_timeout_seconds
    return HandlerContext(
        namespace=definition.namespace,
        task_name=definition.name,
        instance_id=claimed.instance_id,
        execution_id=claimed.lease_id,
        attempt=claimed.attempt,
        scheduled_for=claimed.scheduled_for,
        idempotency_key=f"rota-{claimed.instance_id}",
        deadline=None if claimed.timeout_seconds is None else now + claimed.timeout_seconds,
        soft_deadline=None if soft is None else now + soft,
        kill_grace_seconds=definition.kill_grace_seconds,
        limits=definition.limits,
        sink=sink,
        connection_urls=connection_urls,
        on_stuck=on_stuck,
    )


def _timed_out(claimed: Claimed, definition: Definition, message: str) -> Report:
    retry = _retry(claimed, definition, Failure(kinds=frozenset({Reason.TIMED_OUT})))
    return _report(claimed, ExecutionState.TIMED_OUT, Reason.TIMED_OUT, message, retry_seconds=retry)


def _was_cancelled(context: HandlerContext) -> bool:
    return context.cancelled and not context.timed_out


def _failure(error: HandlerError) -> Failure:
    return Failure(
        kinds=error.kinds | exception_kinds(error) | {error.reason},
        retryable=error.retryable,
        retry_in=error.retry_in,
        retry_after=error.retry_after,
    )


def _retry(claimed: Claimed, definition: Definition, failure: Failure) -> float | None:
    # Jitter spreads load; nobody gains by guessing it.
    chance = random.random()  # noqa: S311 - see above
    return definition.retry.delay_after_failure(failure, claimed.attempts_of_its_own, chance=chance)


def _soft_limit_passed(definition: Definition) -> str:
    return gettext("It took longer than the %(seconds)g s after which its task warns.") % {
        "seconds": definition.soft_timeout_seconds
    }


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
