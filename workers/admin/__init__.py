"""The admin of executions, their logs, nodes and connections."""

from workers.admin import connection, execution, node

__all__ = ["connection", "execution", "node"]
