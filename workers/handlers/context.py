"""What a handler gets to know about the execution it runs, and how it talks back."""

import codecs
import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from workers.handlers.errors import HandlerError
from workers.handlers.process_limits import NO_LIMITS, ProcessLimits

#: Takes the name of a stream and clean text: no U+0000, no lone surrogates, never half a character.
LogSink = Callable[[str, str], None]

STDOUT = "stdout"
STDERR = "stderr"
LOG = "log"

_log = logging.getLogger(__name__)


def _discard(stream: str, text: str) -> None:
    """Take output that nobody reads."""


def _nobody_cares() -> None:
    """Run where nobody replaces a thread that cannot be stopped."""


def _no_connections(name: str) -> str:
    raise LookupError(name)


@dataclass(frozen=True)
class Progress:
    """How far the work is: ``done`` of ``total`` (None when nobody knows), and a note."""

    done: float
    total: float | None
    note: str

    def __str__(self) -> str:
        """Return the progress as one line, for example ``progress: 3/10 (30 %) rows loaded``."""
        text = f"progress: {self.done:g}"
        if self.total is not None:
            text += f"/{self.total:g}"
            if self.total:
                text += f" ({self.done / self.total:.0%})".replace("%", " %")
        return f"{text} {self.note}".rstrip()


@dataclass(eq=False)
class HandlerContext:
    """One execution as its handler sees it. Every method may be called from any thread."""

    namespace: str
    task_name: str
    instance_id: int
    #: The lease id, and so the fencing token: of two executions of an instance the later one has the larger
    #: id.
    execution_id: int
    #: Counted from 1.
    attempt: int
    #: The nominal moment, aware.
    scheduled_for: datetime
    #: The same for every attempt at one instance.
    idempotency_key: str
    #: A ``time.monotonic()`` value, or None when the work may take as long as it likes.
    deadline: float | None = None
    #: Work that takes longer is marked, and goes on; a ``time.monotonic()`` value, or None.
    soft_deadline: float | None = None
    #: How long work may take to end after it was asked to, before it is killed.
    kill_grace_seconds: float = 10.0
    #: What the processes of this work may take together.
    limits: ProcessLimits = NO_LIMITS
    sink: LogSink = _discard
    #: Gives the URL of a named connection of this namespace, or raises LookupError.
    connection_urls: Callable[[str], str] = _no_connections
    #: To be called when the work's thread cannot be stopped; whoever runs it then goes on without it.
    on_stuck: Callable[[], None] = _nobody_cares
    last_progress: Progress | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Start not cancelled, with no half-written characters."""
        # Reentrant, because a signal handler may cancel in the very thread that holds it.
        self._lock = threading.RLock()
        self._cancelled = False
        # Made when somebody waits for it: most executions are never asked to end, and ten thousand a second add up.
        self._cancelled_event: threading.Event | None = None
        self._killed = False
        self._timed_out = False
        self._on_cancel: dict[int, Callable[[], None]] = {}
        self._on_kill: dict[int, Callable[[], None]] = {}
        self._next_token = 0
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    # Time

    def remaining(self) -> float | None:
        """Return the seconds until the deadline, never less than 0, or None when there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self.remaining() == 0.0

    @property
    def soft_expired(self) -> bool:
        """Whether the work takes longer than it should; it goes on all the same."""
        return self.soft_deadline is not None and time.monotonic() >= self.soft_deadline

    # Being asked to end

    @property
    def cancelled(self) -> bool:
        """Whether this work shall end: somebody asked for it, or, for a function in a thread, its time is up."""
        return self._cancelled

    @property
    def killed(self) -> bool:
        """Whether this work gets no grace: `kill_grace_seconds` is 0 then."""
        return self._killed

    @property
    def timed_out(self) -> bool:
        """Whether it was the time limit that asked this work to end."""
        return self._timed_out

    def cancel(self, kill: bool = False) -> None:
        """Ask the handler to end its work, now; with ``kill``, without a grace.

        Asking twice changes nothing, except that a kill may follow an ordinary request.
        """
        self._ask_to_end(timed_out=False, kill=kill)

    def expire(self) -> None:
        """Ask the handler to end its work because its time is up. What asked first counts."""
        self._ask_to_end(timed_out=True)

    def _ask_to_end(self, *, timed_out: bool, kill: bool = False) -> None:
        with self._lock:
            callbacks: list[Callable[[], None]] = []
            if kill and not self._killed:
                self._killed = True
                self.kill_grace_seconds = 0.0
                callbacks += self._on_kill.values()
                self._on_kill.clear()
            if not self._cancelled:
                self._timed_out = timed_out
                self._cancelled = True
                if self._cancelled_event is not None:
                    self._cancelled_event.set()
                callbacks += self._on_cancel.values()
                self._on_cancel.clear()
        for callback in callbacks:
            _call(callback)

    def abandon(self) -> None:
        """Throw away whatever is written from now on: the execution has ended without its thread."""
        self.sink = _discard

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called in the cancelling thread when the work shall end; at once if it already shall.

        Returns a function that takes the callback back.
        """
        return self._register(self._on_cancel, lambda: self._cancelled, callback)

    def on_kill(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called likewise when the work loses its grace, perhaps after it was cancelled."""
        return self._register(self._on_kill, lambda: self._killed, callback)

    def _register(
        self, callbacks: dict[int, Callable[[], None]], happened: Callable[[], bool], callback: Callable[[], None]
    ) -> Callable[[], None]:
        with self._lock:
            if not happened():
                token = self._next_token
                self._next_token += 1
                callbacks[token] = callback
                return lambda: self._forget(callbacks, token)
        _call(callback)
        return lambda: None

    def _forget(self, callbacks: dict[int, Callable[[], None]], token: int) -> None:
        with self._lock:
            callbacks.pop(token, None)

    def wait_cancelled(self, timeout: float | None = None) -> bool:
        """Wait until the work shall end, at most ``timeout`` seconds; return whether it shall. Better than sleeping."""
        with self._lock:
            if self._cancelled:
                return True
            if self._cancelled_event is None:
                self._cancelled_event = threading.Event()
            event = self._cancelled_event
        return event.wait(timeout)

    # Talking

    def write(self, stream: str, text: str | bytes) -> None:
        """Write to the execution's log. Bytes are UTF-8 and may end in the middle of a character."""
        if isinstance(text, bytes):
            with self._lock:
                decoder = self._decoders.get(stream)
                if decoder is None:
                    decoder = self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
                text = decoder.decode(text)
        if text:
            self.sink(stream, _clean(text))

    def end_stream(self, stream: str) -> None:
        """Say that no more bytes follow, so that half a character at the end is shown as what it is."""
        with self._lock:
            decoder = self._decoders.pop(stream, None)
        if decoder is not None and (rest := decoder.decode(b"", final=True)):
            self.sink(stream, _clean(rest))

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far the work is: a line in the log, and ``last_progress`` for whoever asks."""
        self.last_progress = Progress(done, total, note)
        self.write(LOG, f"{self.last_progress}\n")

    @cached_property
    def logger(self) -> logging.Logger:
        """A logger that writes to this execution's log and nowhere else."""
        name = f"rota.execution.{self.execution_id}"
        # Made directly and not through getLogger(), whose loggers live as long as the process.
        logger = logging.Logger(name)  # noqa: LOG001 - see above
        logger.addHandler(_WritesToContext(self))
        return logger

    def log_exception(self, error: BaseException) -> None:
        """Write the traceback of an error to the log."""
        self.write(STDERR, "".join(traceback.format_exception(error)))

    # What the installation knows

    def connection_url(self, name: str) -> str:
        """Return the URL, with its credentials, of a named connection. Never log it.

        Raises HandlerError("unknown_connection").
        """
        try:
            return self.connection_urls(name)
        except LookupError:
            message = f"There is no connection named {name!r} in the namespace {self.namespace!r}."
            raise HandlerError("unknown_connection", message, retryable=False) from None


class _WritesToContext(logging.Handler):
    """Formats log records into one execution's log."""

    def __init__(self, context: HandlerContext) -> None:
        super().__init__()
        self._context = context
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._context.write(LOG, self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a log line must not fail the work; this is logging's own way to say so
            self.handleError(record)


def _clean(text: str) -> str:
    """Return the text without what PostgreSQL cannot store."""
    if text.isascii():
        return text.replace("\x00", "\ufffd") if "\x00" in text else text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:  # noqa: BLE001 - one callback must not keep the others from being called
        _log.exception("A callback for a cancelled execution failed")
