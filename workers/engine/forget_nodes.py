"""forget_nodes: nodes that are long gone go when the history that they are part of is gone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from scheduling.db import Connection, sql_file

_FORGET = Path(__file__).parent / "sql" / "forget_nodes.sql"


def forget_nodes(conn: Connection, *, before: datetime) -> int:
    """Delete the nodes whose last sign of life was earlier than ``before``, with what is noted of them, and count them.

    A node that is held stays until somebody resumes it, and one that an execution still names stays, too.
    """
    return conn.execute(sql_file(_FORGET), {"before": before}).rowcount
