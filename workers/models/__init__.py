"""Who runs it and what happened. These models know scheduling and accounts; nothing here knows alerts."""

from workers.models.connection import Connection
from workers.models.execution import Execution
from workers.models.log import LogChunk
from workers.models.log_watch import LogWatch
from workers.models.node import Node
from workers.models.node_change import NodeChange
from workers.models.promise_check import PromiseCheck

__all__ = ["Connection", "Execution", "LogChunk", "LogWatch", "Node", "NodeChange", "PromiseCheck"]
