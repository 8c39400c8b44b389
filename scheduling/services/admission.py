"""Admission for services: it follows the commit of whoever queued something, or made room."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from scheduling.db import callers_connection
from scheduling.engine.admit import admit
from scheduling.notify import process_notifier


def admit_on_commit(gates: Collection[int], pools: Collection[int] = ()) -> None:
    """Admit at ``gates`` and ``pools`` once the caller's Django transaction has committed; never if it rolls back.

    Not within the transaction: it would keep the gates shut until the caller commits. A process that dies in between
    is made good by the schedulers' sweep.
    """
    if gates or pools:
        transaction.on_commit(lambda: admit(callers_connection(), gates, pools).announce(process_notifier()))
