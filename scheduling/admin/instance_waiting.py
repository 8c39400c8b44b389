"""The checklist "why is it waiting?" of an instance's page, and the word for it in lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.cells import badge, link
from scheduling.admin.task_actions import instance_url
from scheduling.models import Task, TaskInstance
from scheduling.models.instance import STATE_LABELS
from scheduling.waiting import GATE_LABELS, GateWord, reasons_for_waiting, waiting_words

_KEY = "_rota_waiting_word"


def gates_shown(instance: TaskInstance) -> list[dict[str, Any]]:
    """Return the gates of ``instance`` with links to those that it waits for."""
    return [
        {
            "passed": gate.passed,
            "label": GATE_LABELS[gate.word],
            "sentence": gate.sentence,
            "holders": [
                {
                    "instance": link(instance_url(holder.instance_id), f"#{holder.instance_id}"),
                    "task": holder.task,
                    "state": badge(holder.state.value, STATE_LABELS[holder.state]),
                }
                for holder in gate.holders
            ],
            "more": gate.more,
            "more_link": reverse("admin:scheduling_pool_change", args=[gate.pool_id]) if gate.pool_id else "",
        }
        for gate in reasons_for_waiting(instance)
    ]


def prepare_waiting_words(rows: Sequence[TaskInstance], tasks: Mapping[int, Task]) -> None:
    """Find what each instance of a page waits for; ``tasks`` are theirs, by id."""
    words = waiting_words(rows, tasks=tasks)
    for row in rows:
        row.__dict__[_KEY] = words.get(row.pk)


def state_cell(instance: TaskInstance) -> SafeString:
    """Return the state, with the sentence that says why, and the word for what it waits for."""
    shown = badge(instance.state, instance.state_label, title=instance.full_message)
    word: GateWord | None = instance.__dict__.get(_KEY)
    if word is None:
        return shown
    return format_html(
        '<span class="rota-last">{} <span class="rota-subtle">{}</span></span>', shown, GATE_LABELS[word]
    )
