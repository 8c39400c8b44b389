#!/usr/bin/env python
"""Rota's command line: `manage.py help` lists the commands.

A mistake in the configuration and a database that cannot be reached are for whoever operates Rota: they end a
command with one line and exit code 1. Everything else is a bug and shows its traceback, as everything does
with `--traceback`.
"""

import os
import sys
import threading

from config.env import use_settings

# The thread in which runserver's reloader runs the command; see django.utils.autoreload.
RELOADED_THREAD = "django-main-thread"


def main() -> None:
    """Runs the command that the arguments name."""
    use_settings("config.settings")
    threading.excepthook = end_reloaded_command
    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except Exception as exc:
        sentence = sentence_for_operator(exc)
        if sentence is None:
            raise
        sys.exit(sentence)


def sentence_for_operator(exc: BaseException | None) -> str | None:
    """Returns the line that tells what to change; None for a bug, and when tracebacks were asked for."""
    import psycopg
    from django.core.exceptions import ImproperlyConfigured
    from django.db import Error

    if "--traceback" in sys.argv:
        return None
    if isinstance(exc, ImproperlyConfigured):
        return " ".join(str(exc).split())
    if isinstance(exc, (Error, psycopg.Error)):
        from django.conf import settings

        from config.database.errors import explain

        return explain(exc, settings.DATABASES["default"])
    return None


def end_reloaded_command(failure: threading.ExceptHookArgs) -> None:
    """Ends runserver like any other command; by itself its reloader waits for the code to change."""
    sentence = sentence_for_operator(failure.exc_value)
    if sentence is None or failure.thread is None or failure.thread.name != RELOADED_THREAD:
        threading.__excepthook__(failure)
        return
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - the command line itself
    os._exit(1)


if __name__ == "__main__":
    main()
