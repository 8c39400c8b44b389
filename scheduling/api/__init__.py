"""The REST API of tasks, instances and handlers: it translates between JSON and the services, and decides nothing."""
