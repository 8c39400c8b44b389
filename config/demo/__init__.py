"""The demo: a namespace with real work, and every process that it takes to see it run."""
