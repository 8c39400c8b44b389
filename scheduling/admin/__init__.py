"""The admin of tasks and of their instances."""

from scheduling.admin import instance, task

__all__ = ["instance", "task"]
