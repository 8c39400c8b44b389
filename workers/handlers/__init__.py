"""The code that runs each kind of task."""
