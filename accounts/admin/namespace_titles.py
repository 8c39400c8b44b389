"""What people call a namespace, where a page has only the name that machines know."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import Namespace


def namespace_titles(names: Iterable[str]) -> dict[str, str]:
    """Return the titles of namespaces by their names, as `str` of each says it. One query, none without any names."""
    wanted = set(names)
    return {each.name: str(each) for each in Namespace.objects.filter(name__in=wanted)} if wanted else {}
