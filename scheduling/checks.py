"""Start-up checks of the scheduling app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from scheduling.conf import conf

_AGES = ("RETENTION_DAYS", "LOG_RETENTION_DAYS", "STATISTICS_DAYS", "DEFINITION_DAYS")


@register("scheduling")
def check_ages(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Ages are whole numbers of days, and no log outlives its execution."""
    settings = conf()
    found: list[CheckMessage] = [
        Error(
            f"SCHEDULING['{name}'] must be a whole number of days, or 0 for ever; it is {getattr(settings, name)!r}.",
            id="scheduling.E001",
        )
        for name in _AGES
        if not isinstance(getattr(settings, name), int) or getattr(settings, name) < 0
    ]
    if not found and settings.RETENTION_DAYS and settings.LOG_RETENTION_DAYS > settings.RETENTION_DAYS:
        found.append(
            checks.Warning(
                f"Logs shall be kept for {settings.LOG_RETENTION_DAYS} days, but executions for "
                f"{settings.RETENTION_DAYS} only; a log goes with its execution.",
                hint="Lower SCHEDULING['LOG_RETENTION_DAYS'], or set it to 0: as long as the executions.",
                id="scheduling.W001",
            )
        )
    return found


@register("scheduling")
def check_archive(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """The function that archives partitions is there before the first one is due."""
    path = conf().ARCHIVE_PARTITION
    if not path:
        return []
    try:
        problem = None if callable(import_string(path)) else "it is no function"
    except ImportError as error:
        problem = str(error)
    if problem is None:
        return []
    return [Error(f"SCHEDULING['ARCHIVE_PARTITION'] cannot be used: {problem}.", id="scheduling.E002")]
