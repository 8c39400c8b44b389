"""The small buttons in each row of the list of tasks."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from scheduling.models import Task


def row_buttons(task: Task) -> SafeString:
    """Return buttons that send the list's own form to the task's address, for somebody who may operate it."""
    verb, icon, label = ("pause", "pause", _("Pause")) if task.enabled else ("resume", "resume", _("Resume"))
    return format_html(
        "{}{}", _icon_button(task, "run", "play_arrow", _("Run now")), _icon_button(task, verb, icon, label)
    )


def _icon_button(task: Task, verb: str, icon: str, label: str) -> SafeString:
    url = reverse(f"admin:scheduling_task_{verb}", args=[task.pk])
    return format_html(
        '<button type="submit" class="rota-icon-button" formaction="{}" title="{}" aria-label="{}: {}">'
        '<span class="material-symbols-outlined" aria-hidden="true">{}</span></button>',
        url,
        label,
        label,
        task.name,
        icon,
    )
