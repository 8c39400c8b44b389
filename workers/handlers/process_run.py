"""Runs one process: feeds it, passes its output on while it is written, and ends it when its time is up."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from workers.handlers.context import LOG, STDERR, STDOUT, HandlerContext
from workers.handlers.errors import HandlerCancelled, HandlerError, HandlerTimedOut
from workers.handlers.guard import guard
from workers.handlers.limit_watch import (
    WATCH_SECONDS,
    LimitWatch,
    go_first_when_memory_is_out,
    refuse_unless_measurable,
)
from workers.handlers.process_tree import ProcessTree
from workers.handlers.run_members import MARK_VARIABLE

#: How long the output of left-over children is read after the process itself has ended.
DRAIN_SECONDS = 2.0
#: How much of the end of the output is kept, in bytes.
TAIL_BYTES = 4096

_READ_BYTES = 64 * 1024
#: More reads than a pipe can hold.
_LAST_READS = 64
#: Where the kernel cannot wake us when a process ends, we look so often.
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class ProcessEnd:
    """How a process ended by itself."""

    #: As a shell gives it: 128 + n when signal n ended the process.
    exit_code: int
    #: ``SIGSEGV`` and the like, or None.
    signal: str | None
    #: The last TAIL_BYTES of both streams in the order they were read.
    output_tail: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """The words by which a rule about retries may know this end: the exit code, and the signal's name."""
        return (str(self.exit_code), self.signal) if self.signal else (str(self.exit_code),)


class ProcessRun:
    """One process with its pipes, watched by the thread that calls ``wait``."""

    def __init__(
        self,
        context: HandlerContext,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        inherit_env: bool = False,
        cwd: str | None = None,
        stdin: bytes = b"",
        keep_stdin_open: bool = False,
        report_fd: int | None = None,
        on_report: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """Start ``argv`` as the leader of a session of its own.

        ``env`` is its whole environment or, with ``inherit_env``, is added to the worker's. ``stdin`` is
        written and closed, unless it is to be kept open for the replies of ``on_report``, which gets each
        line that is written to ``report_fd``, the writing end of a pipe that the child inherits. Raises
        OSError and ValueError as subprocess does, and HandlerError("limits_unsupported").
        """
        refuse_unless_measurable(context.limits)
        self._context = context
        self._mark = uuid.uuid4().hex
        full = {**env, MARK_VARIABLE: self._mark}
        self._tail = bytearray()
        self._to_write = bytearray(stdin)
        self._keep_stdin_open = keep_stdin_open
        self._on_report = on_report
        self._report_line = bytearray()
        if inherit_env:
            # env(1) adds to an environment that we do not read.
            argv = ["/usr/bin/env", *(f"{name}={value}" for name, value in full.items()), *argv]
        # Before it starts, so that there is no moment in which nobody would end it.
        guard.open(self._mark)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - running what the task says is this handler's purpose
                argv,
                env=None if inherit_env else full,
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                pass_fds=[] if report_fd is None else [report_fd],
            )
        except BaseException:
            guard.close(self._mark)
            raise
        pid = self._process.pid
        self._tree = ProcessTree(self._process, self._mark)
        guard.leader(self._mark, pid, self._tree.started)
        go_first_when_memory_is_out(pid)
        self._watch = LimitWatch(context.limits, pid) if context.limits.any else None
        self._watch_at = time.monotonic()
        self._excess: HandlerError | None = None
        self._selector = selectors.DefaultSelector()

    def wait(self, report_fd: int | None = None) -> ProcessEnd:
        """Pass output on until the process has ended, and end what it left behind.

        ``report_fd`` is the reading end of the report pipe. Raises HandlerCancelled, HandlerTimedOut, and
        HandlerError with ``process_limit``, ``memory_limit`` or ``cpu_limit``; each only when no process of the run
        is left.
        """
        # Sockets and not a pipe: a late cancel finds a closed object, never a number that belongs to something else.
        wake_read, wake_write = socket.socketpair()
        forget = self._context.on_cancel(lambda: _poke(wake_write))
        forget_kill = self._context.on_kill(lambda: _poke(wake_write))
        pidfd = self._open_pidfd()
        try:
            self._register(report_fd, wake_read, pidfd)
            self._serve()
        except BaseException:
            self._tree.kill()
            raise
        finally:
            guard.close(self._mark)
            forget()
            forget_kill()
            self._selector.close()
            wake_read.close()
            wake_write.close()
            if pidfd is not None:
                os.close(pidfd)
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._context.end_stream(STDOUT)
            self._context.end_stream(STDERR)
        end = self._end(self._tree.reap())
        if self._excess is not None and end.exit_code != 0:
            raise self._excess
        return end

    # The loop

    def _serve(self) -> None:
        """Read and write until the process and its output have ended; stop it when it must not go on."""
        why: HandlerError | HandlerCancelled | HandlerTimedOut | None = None
        try:
            why, kill_at = self._wait_for_the_leader()
            if why is None:
                # What it exceeded since it was last looked at explains why it failed, if it did.
                self._excess = self._beyond_limits(now=True)
                self._drain()
            else:
                self._wait_for_the_others(kill_at)
        except HandlerError as excess:
            self._context.write(LOG, f"{excess.message}\n")
            why = excess
        left = self._tree.kill()
        self._read_what_is_there()
        if left:
            self._context.write(LOG, f"These processes of this run could not be ended: {', '.join(left)}.\n")
        if why is not None:
            raise why

    def _wait_for_the_leader(self) -> tuple[HandlerCancelled | HandlerTimedOut | None, float | None]:
        """Return why the leader had to end, and until when its descendants have time to; None when it ended itself."""
        kill_at: float | None = None
        why: HandlerCancelled | HandlerTimedOut | None = None
        while not self._tree.leader_has_ended():
            if why is None and (why := self._stop_reason()) is not None:
                kill_at = time.monotonic() + self._context.kill_grace_seconds
                self._context.write(LOG, "Asking the process to end (SIGTERM).\n")
                self._tree.send(signal.SIGTERM)
            if kill_at is not None and (self._context.killed or time.monotonic() >= kill_at):
                self._context.write(LOG, "The process did not end in time; killing it (SIGKILL).\n")
                break
            if (excess := self._beyond_limits()) is not None:
                if why is None:
                    raise excess
                break
            self._turn(self._until(kill_at or self._context.deadline))
        return why, kill_at

    def _beyond_limits(self, *, now: bool = False) -> HandlerError | None:
        """Measure, when it is time or ``now``; return the error of the limit that was exceeded."""
        if self._watch is None or not (now or time.monotonic() >= self._watch_at):
            return None
        self._watch_at = time.monotonic() + WATCH_SECONDS
        try:
            self._watch.check(self._tree.members())
        except HandlerError as excess:
            return excess
        return None

    def _wait_for_the_others(self, kill_at: float | None) -> None:
        """Leave what outlived its leader the rest of the grace."""
        while self._tree.others_live() and kill_at is not None and time.monotonic() < kill_at:
            if self._context.killed or self._beyond_limits() is not None:
                return
            self._turn(_POLL_SECONDS)

    def _drain(self) -> None:
        """Read what comes after the end of the process, until every writer is gone or a while has passed."""
        end = time.monotonic() + DRAIN_SECONDS
        while self._open_outputs() and (left := end - time.monotonic()) > 0:
            if (excess := self._beyond_limits()) is not None:
                raise excess
            self._turn(left)

    def _read_what_is_there(self) -> None:
        """Read what the pipes hold now. Bounded, because something that escaped may go on writing."""
        for _ in range(_LAST_READS):
            if not self._turn(0.0):
                return

    def _turn(self, timeout: float | None) -> bool:
        """Wait for something to happen and deal with it; return whether output was read."""
        read = False
        if self._watch is not None and timeout != 0:
            timeout = WATCH_SECONDS if timeout is None else timeout
            timeout = min(timeout, max(0.0, self._watch_at - time.monotonic()))
        for key, _events in self._selector.select(timeout):
            match key.data:
                case "stdin":
                    self._feed()
                case "wake":
                    os.read(key.fd, _READ_BYTES)
                case "end":
                    self._selector.unregister(key.fileobj)
                case name:
                    read |= self._take(name, key.fd, key.fileobj)
        return read

    def _take(self, name: str, fd: int, fileobj: object) -> bool:
        data = os.read(fd, _READ_BYTES)
        if not data:
            self._selector.unregister(fileobj)  # type: ignore[arg-type]  # the selector gave it to us
        elif name == "report":
            self._report(data)
        else:
            self._tail += data[-TAIL_BYTES:]
            del self._tail[:-TAIL_BYTES]
            self._context.write(name, data)
        return bool(data)

    def _feed(self) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            written = os.write(stdin.fileno(), self._to_write[:_READ_BYTES])
            del self._to_write[:written]
        except BlockingIOError:
            return
        except BrokenPipeError:
            # It does not want its input; whether that is an error is for its exit code to say.
            self._to_write.clear()
            self._keep_stdin_open = False
        if not self._to_write:
            self._selector.unregister(stdin)
            if not self._keep_stdin_open:
                stdin.close()

    def _report(self, data: bytes) -> None:
        # Only what is new can hold the end of the line: a long one must not be searched again with every piece.
        searched = len(self._report_line)
        self._report_line += data
        while (end := self._report_line.find(b"\n", searched)) >= 0:
            searched = 0
            line = bytes(self._report_line[:end])
            del self._report_line[: end + 1]
            reply = self._on_report(line) if self._on_report is not None else b""
            if reply and self._process.stdin is not None and not self._process.stdin.closed:
                if not self._to_write:
                    self._selector.register(self._process.stdin, selectors.EVENT_WRITE, "stdin")
                self._to_write += reply

    # Small things

    def _register(self, report_fd: int | None, wake_read: socket.socket, pidfd: int | None) -> None:
        process = self._process
        assert process.stdin is not None  # noqa: S101 - all three were asked for
        self._selector.register(process.stdout, selectors.EVENT_READ, STDOUT)  # type: ignore[arg-type]  # not None
        self._selector.register(process.stderr, selectors.EVENT_READ, STDERR)  # type: ignore[arg-type]  # not None
        os.set_blocking(process.stdin.fileno(), False)
        if self._to_write:
            self._selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
        elif not self._keep_stdin_open:
            process.stdin.close()
        self._selector.register(wake_read, selectors.EVENT_READ, "wake")
        if report_fd is not None:
            self._selector.register(report_fd, selectors.EVENT_READ, "report")
        if pidfd is not None:
            self._selector.register(pidfd, selectors.EVENT_READ, "end")

    def _open_outputs(self) -> bool:
        return any(key.data in {STDOUT, STDERR, "report"} for key in self._selector.get_map().values())

    def _open_pidfd(self) -> int | None:
        try:
            return os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):
            return None  # not Linux, or an old one: then we poll

    def _until(self, moment: float | None) -> float | None:
        polled = any(key.data == "end" for key in self._selector.get_map().values())
        waits = [] if polled else [_POLL_SECONDS]
        if moment is not None:
            waits.append(max(0.0, moment - time.monotonic()))
        return min(waits, default=None)

    def _stop_reason(self) -> HandlerCancelled | HandlerTimedOut | None:
        if self._context.cancelled:
            return HandlerCancelled()
        return HandlerTimedOut() if self._context.expired else None

    def _end(self, code: int) -> ProcessEnd:
        tail = self._tail.decode("utf-8", "replace").replace("\x00", "\ufffd")
        if code >= 0:
            return ProcessEnd(code, None, tail)
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return ProcessEnd(128 - code, name, tail)


def _poke(wake: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wake.send(b"!")
