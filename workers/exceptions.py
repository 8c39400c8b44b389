"""What can go wrong with workers, one class for each situation."""


class WorkerError(Exception):
    """The root of this app's errors."""


class NodeNameTaken(WorkerError):
    """Another worker that is alive holds this node's name."""

    def __init__(self, *, name: str, host: str, pid: int) -> None:
        self.name, self.host, self.pid = name, host, pid
        super().__init__(
            f"A worker called “{name}” is alive on {host} (process {pid}). Choose another --name, or stop that one."
        )


class WorkerBroken(WorkerError):
    """A part of this worker has died; the process must end, so that its supervisor starts a new one."""
