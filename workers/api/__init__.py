"""The REST API of executions, their logs, and nodes: all of it for reading."""
