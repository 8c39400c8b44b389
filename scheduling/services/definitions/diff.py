"""What becomes of each object, and how that reads."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from scheduling.domain.param_secrets import MASK
from scheduling.services.definitions.entries import Key
from scheduling.services.definitions.fields import canonical
from scheduling.services.definitions.plain_objects import Plain, without_secrets
from scheduling.services.definitions.yaml_subset import write_yaml


class Outcome(StrEnum):
    """What applying a set of definitions makes of one object."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    PRUNED = "pruned"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectChange:
    """One object before and after, as definitions with their secrets; None where it does not exist.

    ``owners`` are whose files it belongs to, before and after.
    """

    key: Key
    before: Plain | None
    after: Plain | None
    owners: tuple[str, str] = ("", "")

    @property
    def outcome(self) -> Outcome:
        """What becomes of the object."""
        if self.before is None:
            return Outcome.CREATED
        if self.after is None:
            return Outcome.PRUNED
        same = canonical(self.before) == canonical(self.after) and self.owners[0] == self.owners[1]
        return Outcome.UNCHANGED if same else Outcome.CHANGED

    @property
    def subject(self) -> str:
        """The object as people name it: ``task default/nightly``."""
        kind, namespace, name = self.key
        return f"{kind} {namespace}/{name}"

    @property
    def diff(self) -> str:
        """The change as a unified diff of its definitions, without secrets; empty for an unchanged object."""
        if self.outcome is Outcome.UNCHANGED:
            return ""
        before, after = self._shown(self.before), self._shown(self.after)
        if self.before and self.after:
            _mark_changed_secrets(before, after, self.before, self.after)
        kind, namespace, name = self.key
        path = f"{kind}/{namespace}/{name}"
        lines = difflib.unified_diff(
            self._lines(before, self.owners[0]),
            self._lines(after, self.owners[1]),
            "/dev/null" if self.before is None else f"stored/{path}",
            "/dev/null" if self.after is None else f"files/{path}",
            n=2,
            lineterm="",
        )
        return "\n".join(lines) + "\n"

    def _shown(self, plain: Plain | None) -> Plain:
        return {} if plain is None else without_secrets(plain)

    def _lines(self, plain: Plain, owner: str) -> list[str]:
        if not plain:
            return []
        # Whose files an object belongs to is no field of them; it is shown where it changes.
        heading = [f"# {_('owner')}: {owner or '–'}"] if self.owners[0] != self.owners[1] else []
        return heading + write_yaml(plain).splitlines()


def _mark_changed_secrets(before: Any, after: Any, real_before: Any, real_after: Any) -> None:
    """Let two masks differ in ``after`` where what they hide does, so that the diff shows it."""
    items: Any
    if isinstance(after, dict) and isinstance(before, dict):
        items = [key for key in after if key in before]
    elif isinstance(after, list) and isinstance(before, list):
        items = range(min(len(after), len(before)))
    else:
        return
    for item in items:
        if before[item] == MASK == after[item]:
            if real_before[item] != real_after[item]:
                after[item] = _("%(mask)s (another one)") % {"mask": MASK}
        else:
            _mark_changed_secrets(before[item], after[item], real_before[item], real_after[item])
