"""The admin of executions, their logs, nodes and connections."""

from scheduling.admin.instance import TaskInstanceAdmin
from workers.admin import connection, execution, node
from workers.admin.filters import InstanceNodeFilter

TaskInstanceAdmin.add_filter(InstanceNodeFilter)

__all__ = ["connection", "execution", "node"]
