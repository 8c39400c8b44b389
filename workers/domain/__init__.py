"""What workers decide without a database or a framework."""
