"""The admin of tasks, their calendars and their instances."""

from scheduling.admin import backfill, calendar, instance, scheduler, task

__all__ = ["backfill", "calendar", "instance", "scheduler", "task"]
