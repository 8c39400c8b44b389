"""The admin of tasks, their calendars and pools, and their instances."""

from scheduling.admin import backfill, calendar, instance, pool, scheduler, task

__all__ = ["backfill", "calendar", "instance", "pool", "scheduler", "task"]
