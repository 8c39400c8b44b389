"""What people do to nodes."""

from workers.services.nodes import UnknownNode, drain_node, may_drain, resume_node

__all__ = ["UnknownNode", "drain_node", "may_drain", "resume_node"]
