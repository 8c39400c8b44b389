"""What can go wrong with scheduling, one class for each situation."""


class SchedulingError(Exception):
    """The root of this app's errors; its text is a sentence for people."""


class NotMigrated(SchedulingError):
    """The database lacks migrations of this code."""

    def __init__(self, apps: list[str]) -> None:
        super().__init__(f"The database is not up to date ({', '.join(apps)}): run manage.py migrate.")


class UnknownTask(SchedulingError):
    """No such task in that namespace, or not one that the caller may see."""

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(f"There is no task “{name}” in the namespace “{namespace}”.")
