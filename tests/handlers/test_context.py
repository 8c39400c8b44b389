"""What a handler is told, and how it talks back."""

import threading

import pytest

from tests.handlers.support import MemoryLog, make_context
from workers.handlers.base import HandlerError, Progress


def test_the_remaining_time_never_is_negative() -> None:
    assert make_context().remaining() is None
    late = make_context(seconds=-5)
    assert late.remaining() == 0.0
    assert late.expired


def test_cancelling_calls_back_once_and_only_who_still_waits() -> None:
    context, called = make_context(), list[str]()
    context.on_cancel(lambda: called.append("first"))
    forget = context.on_cancel(lambda: called.append("second"))
    forget()

    context.cancel()
    context.cancel()

    assert called == ["first"]
    assert context.cancelled


def test_who_asks_after_the_cancelling_is_called_at_once() -> None:
    context, called = make_context(), list[str]()
    context.cancel()

    context.on_cancel(lambda: called.append("late"))

    assert called == ["late"]


def test_a_callback_that_fails_does_not_keep_the_others_from_being_called() -> None:
    context, called = make_context(), list[str]()
    context.on_cancel(lambda: 1 // 0)  # type: ignore[arg-type]  # what it returns does not matter
    context.on_cancel(lambda: called.append("second"))

    context.cancel()

    assert called == ["second"]


def test_waiting_ends_when_the_work_is_cancelled() -> None:
    context = make_context()
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(context.wait_cancelled(30)))
    thread.start()

    context.cancel()
    thread.join(30)

    assert results == [True]
    assert make_context().wait_cancelled(0) is False


def test_text_reaches_the_log_without_what_cannot_be_stored(log: MemoryLog) -> None:
    context = make_context(log)
    context.write("stdout", "a\x00b\ud800c\n")
    context.write("stdout", b"\xe4\xb8")
    context.write("stderr", b"\xff")
    context.write("stdout", b"\xad\x00")
    context.end_stream("stdout")

    assert log.text("stdout") == "a\ufffdb?c\n中\ufffd"
    assert log.text("stderr") == "\ufffd"


def test_the_logger_writes_to_this_execution_and_nowhere_else(log: MemoryLog, caplog: pytest.LogCaptureFixture) -> None:
    make_context(log).logger.info("loaded %d rows", 5)

    assert log.chunks == [("log", "INFO loaded 5 rows\n")]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(3, 10, "rows"), "progress: 3/10 (30 %) rows"),
        (Progress(3, None, ""), "progress: 3"),
        (Progress(0, 0, "nothing to do"), "progress: 0/0 nothing to do"),
    ],
)
def test_progress_is_a_line_for_people(progress: Progress, line: str) -> None:
    assert str(progress) == line


def test_a_connection_that_nobody_defined_is_named() -> None:
    with pytest.raises(HandlerError, match="no connection named 'gone' in the namespace 'default'"):
        make_context().connection_url("gone")
