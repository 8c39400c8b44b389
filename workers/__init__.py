"""Who runs it and what happened."""

__version__ = "0.1.0"
