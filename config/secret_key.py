"""The key that signs sessions and tokens: given by the operator, or generated once for development."""

import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.env import env_secret

FILE_NAME = "secret_key"
_LENGTH_BYTES = 48  # 64 characters of URL-safe base64


def secret_key(*, debug: bool, embedded: bool, home: Path) -> str:
    """Returns SECRET_KEY (or what SECRET_KEY_FILE holds), else a key that is kept in `<home>/secret_key`.

    A key is generated only for development, that is with the embedded database and DEBUG on. Everything else
    without a key is refused with ImproperlyConfigured: several servers must share one key, and a key that
    appears by itself on each of them would log everybody out at random.
    """
    given = env_secret("SECRET_KEY")
    if given is not None:
        return given
    if not debug:
        raise ImproperlyConfigured(
            "DEBUG=0 needs a secret key: set SECRET_KEY (50 random characters or more) or SECRET_KEY_FILE."
        )
    if not embedded:
        raise ImproperlyConfigured(
            "DATABASE_URL is set, so this is no throw-away installation: "
            "set SECRET_KEY (50 random characters or more) or SECRET_KEY_FILE as well."
        )
    try:
        return _kept_key(home / FILE_NAME)
    except OSError as exc:
        raise ImproperlyConfigured(
            f"No secret key can be kept in {home / FILE_NAME} ({exc.strerror}): set SECRET_KEY or ROTA_HOME."
        ) from None


def _kept_key(path: Path) -> str:
    if not path.exists():
        _create(path)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    key = path.read_text(encoding="utf-8").strip()
    if not key:
        raise ImproperlyConfigured(f"{path} is empty: remove it, and a new key is generated.")
    return key


def _create(path: Path) -> None:
    """Creates the file complete or not at all; of several processes, one wins and all read its key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        draft.write_text(secrets.token_urlsafe(_LENGTH_BYTES) + "\n", encoding="utf-8")
        # A link, unlike a rename, refuses to replace the key of a process that was faster.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
