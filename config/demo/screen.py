"""The demo's terminal: one line for each execution that ends."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.core.management.base import OutputWrapper
from django.core.management.color import Style
from django.utils import timezone

from workers.selectors import EndedExecution

_WIDTH = 22


class Screen:
    """Writes the table; coloured on a terminal, plain when piped (Django's style decides)."""

    def __init__(self, out: OutputWrapper, style: Style) -> None:
        self._out, self._style = out, style

    def say(self, text: str = "") -> None:
        """Write a line at once."""
        self._out.write(text)
        self._out.flush()

    def welcome(self, *, url: str, name: str, password: str | None, logs: str) -> None:
        """Tell where the admin is and how to get in."""
        bold = self._style.MIGRATE_HEADING
        shown = password if password is not None else "(the one that you chose)"
        self.say()
        self.say(f"  {bold('Admin')}     {url}/admin/")
        self.say(f"  {bold('Log-in')}    {name} / {shown}")
        self.say(f"  {bold('API')}       {url}/api/docs/")
        self.say(f"  {bold('Output')}    {logs}")
        self.say()
        self.say("Executions appear here as they end. Ctrl-C stops everything; the data stays.")
        self.say()

    def header(self) -> None:
        """Write the heads of the columns."""
        line = f"{'task':<{_WIDTH}}  {'scheduled for':<12}  {'late':>9}  {'took':>9}  outcome"
        self.say(self._style.MIGRATE_HEADING(line))

    def row(self, ended: EndedExecution) -> None:
        """Write one execution."""
        zone = timezone.get_current_timezone()
        moment = ended.scheduled_for.astimezone(zone if isinstance(zone, ZoneInfo) else None)
        paint = self._style.SUCCESS if ended.state == "succeeded" else self._style.ERROR
        line = (
            f"{ended.task[:_WIDTH]:<{_WIDTH}}  {moment:%H:%M:%S.%f}"[: _WIDTH + 14]
            + f"  {_span(ended.lateness_seconds):>9}  {_span(ended.duration_seconds):>9}  {paint(ended.state)}"
        )
        self.say(f"{line}  {ended.message.splitlines()[0][:70]}" if ended.message else line)


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.1f} s"
