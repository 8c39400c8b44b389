"""The demo's administrator: a generated password that a second start still knows."""

from __future__ import annotations

import secrets
from pathlib import Path

from accounts.models import User

NAME = "admin"


def ensure_login(home: Path) -> tuple[str, str | None]:
    """Return (user name, password) of an administrator; the password is None when somebody has changed it.

    The password lives in ``home``, readable by its owner only.
    """
    file = home / "demo_password"
    user = User.objects.filter(username=NAME).first()
    if user is not None:
        known = file.read_text().strip() if file.exists() else ""
        return NAME, known if known and user.check_password(known) else None
    password = secrets.token_urlsafe(9)
    home.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(password + "\n")
    User.objects.create_superuser(username=NAME, password=password)
    return NAME, password
