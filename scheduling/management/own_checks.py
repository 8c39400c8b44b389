"""Which of Django's checks a command runs before its work."""

from __future__ import annotations

#: Those of Rota's own settings. The others look at pages and addresses, which a command has none of: importing them
#: would take longer than most commands. `manage.py check` runs all.
OWN_CHECKS = ["scheduling", "workers"]
