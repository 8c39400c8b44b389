"""Triggers: the rules that yield a task's fire times. One module for each kind."""
