"""The choice of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms

from scheduling.models import Pool

if TYPE_CHECKING:
    PoolChoiceField = forms.ModelChoiceField[Pool]
else:
    # Django's own classes are generic for type checkers only.
    PoolChoiceField = forms.ModelChoiceField


class PoolField(PoolChoiceField):
    """Says with each pool where it is and how many slots it has; pools of two namespaces may have one name."""

    def label_from_instance(self, obj: Pool) -> str:
        """Return the words for one pool."""
        return f"{obj.namespace} · {obj.name} ({obj.slots})"
