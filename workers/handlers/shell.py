"""The ``shell`` handler: a command on the worker's machine."""

import os
from pathlib import Path
from typing import Annotated, Any, Self

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _n
from pydantic import AfterValidator, Field, model_validator

from workers.handlers.base import Handler, HandlerContext, HandlerError, HandlerParams
from workers.handlers.process_run import ProcessRun


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError(gettext("The character U+0000 cannot be given to a process"))
    return text


def _variable_name(name: str) -> str:
    if not name or "=" in name:
        raise ValueError(gettext("%(name)r cannot be the name of a variable") % {"name": name})
    if name.startswith("ROTA_"):
        raise ValueError(gettext("Variables that begin with ROTA_ are set by the handler itself"))
    return name


Text = Annotated[str, AfterValidator(_without_nul)]
NonEmptyText = Annotated[str, Field(min_length=1), AfterValidator(_without_nul)]
VariableName = Annotated[Text, AfterValidator(_variable_name)]


class ShellParams(HandlerParams):
    """What to run: a line for the shell or a list of arguments."""

    command: NonEmptyText | None = Field(
        default=None, title=_n("Command"), description=_n("Run by /bin/sh -c. Either this or arguments.")
    )
    argv: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, title=_n("Arguments"), description=_n("The program and its arguments, without a shell.")
    )
    env: dict[VariableName, Text] = Field(
        default_factory=dict, title=_n("Environment"), description=_n("Added to a small, clean environment.")
    )
    cwd: NonEmptyText | None = Field(default=None, title=_n("Working directory"))
    stdin: str = Field(default="", title=_n("Standard input"))

    @model_validator(mode="after")
    def _one_command(self) -> Self:
        if (self.command is None) == (self.argv is None):
            raise ValueError(gettext("Either a command or arguments, and not both"))
        return self

    def full_argv(self) -> list[str]:
        """Return the program and its arguments, the shell where one is asked for."""
        return ["/bin/sh", "-c", self.command] if self.command is not None else list(self.argv or [])


class ShellHandler(Handler[ShellParams]):
    """Runs a process group: its output is passed on as it is written, and nothing of it outlives the run.

    A process that is to outlive the run has to be started by something else, a service manager for one.
    """

    name = "shell"
    Params = ShellParams
    runs_processes = True
    #: Whoever may edit tasks may run anything here, so an operator has to ask for it.
    enabled_by_default = False

    @property
    def label(self) -> str:
        """The title in the active language."""
        return gettext("Shell command")

    def run(self, context: HandlerContext, params: ShellParams) -> dict[str, Any]:
        """Run the command; exit code 0 is success.

        Returns ``exit_code`` (128 + n for signal n), ``signal`` (its name or None) and ``output_tail`` (the
        last 4 KiB of both streams). Raises HandlerError with ``exit_code``, ``signal`` (both with that as
        their result) or ``cannot_start``.
        """
        argv = params.full_argv()
        try:
            run = ProcessRun(
                context,
                argv,
                env=environment(context, params.env),
                cwd=params.cwd,
                stdin=params.stdin.encode("utf-8", "surrogateescape"),
            )
        except OSError as error:
            message = gettext("%(program)s could not be started: %(why)s.") % {
                "program": argv[0],
                "why": f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror),
            }
            raise HandlerError("cannot_start", message) from error
        end = run.wait()
        result = {"exit_code": end.exit_code, "signal": end.signal, "output_tail": end.output_tail}
        if end.signal is not None:
            message = gettext("The command was ended by the signal %(signal)s.") % {"signal": end.signal}
            raise HandlerError("signal", message, result)
        if end.exit_code != 0:
            message = gettext("The command ended with exit code %(code)d.") % {"code": end.exit_code}
            raise HandlerError("exit_code", message, result)
        return result


def environment(context: HandlerContext, added: dict[str, str]) -> dict[str, str]:
    """Return the environment of a command: little, and nothing of what configures the worker.

    PATH, HOME, LANG and TZ, then ``WORKERS["SHELL_ENV"]``, then the task's own variables, then those that say
    which execution this is (ROTA_TASK, ROTA_NAMESPACE, ROTA_INSTANCE_ID, ROTA_EXECUTION_ID, ROTA_ATTEMPT,
    ROTA_SCHEDULED_FOR, ROTA_IDEMPOTENCY_KEY).
    """
    return {
        "PATH": os.pathsep.join(os.get_exec_path()),
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "TZ": settings.TIME_ZONE,
        **getattr(settings, "WORKERS", {}).get("SHELL_ENV", {}),
        **added,
        "ROTA_NAMESPACE": context.namespace,
        "ROTA_TASK": context.task_name,
        "ROTA_INSTANCE_ID": str(context.instance_id),
        "ROTA_EXECUTION_ID": str(context.execution_id),
        "ROTA_ATTEMPT": str(context.attempt),
        "ROTA_SCHEDULED_FOR": context.scheduled_for.isoformat(),
        "ROTA_IDEMPOTENCY_KEY": context.idempotency_key,
    }
