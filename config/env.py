"""Typed readers of the environment: the only place that looks at it.

An empty variable counts as one that is not set, because that is what `NAME=` in a shell, a compose file or
a unit file usually means. A value that cannot be read is refused with django's `ImproperlyConfigured`, which
names the variable and what is allowed, and never repeats the value of a secret. The sentences are plain
English: they are needed before settings, and with them translations, exist.
"""

from collections.abc import Sequence
from os import environ  # noqa: TID251 - the only reader of the environment
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_BOOLEANS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def env_str(name: str, default: str) -> str:
    """Returns the variable's text without surrounding white space, or `default` when it is not set."""
    return _text(name) or default


def env_bool(name: str, default: bool) -> bool:
    """Returns 1/true/yes/on as True and 0/false/no/off as False, in any case; anything else is refused."""
    text = _text(name)
    if text is None:
        return default
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(_BOOLEANS)}, not {text!r}.") from None


def env_int(name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """Returns a whole number within the bounds (both inclusive); anything else is refused."""
    text = _text(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {text!r}.") from None
    if minimum is not None and number < minimum:
        raise ImproperlyConfigured(f"{name} must be {minimum} or more, not {number}.")
    if maximum is not None and number > maximum:
        raise ImproperlyConfigured(f"{name} must be {maximum} or less, not {number}.")
    return number


def env_list(name: str, default: Sequence[str]) -> list[str]:
    """Returns the parts of a comma-separated text, trimmed and without empty ones."""
    text = _text(name)
    if text is None:
        return list(default)
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def env_path(name: str, default: Path) -> Path:
    """Returns an absolute path; `~` is the home directory, a relative one starts where the process did."""
    text = _text(name)
    if text is None:
        return default
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ImproperlyConfigured(f"{name} must be a path; there is no home directory for {text!r}.") from None


def env_secret(name: str) -> str | None:
    """Returns a secret from the variable, or from the file that `<name>_FILE` names; None without either.

    Files are how container platforms hand over secrets; white space around the text is not
    part of it. Setting both is refused, because it would be a guess which of them is meant.
    """
    text, file_name = _text(name), _text(f"{name}_FILE")
    if text is not None and file_name is not None:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if file_name is None:
        return text
    try:
        secret = Path(file_name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ImproperlyConfigured(
            f"{name}_FILE must name a readable file; {file_name} cannot be read: {reason}."
        ) from None
    if not secret:
        raise ImproperlyConfigured(f"{name}_FILE must name a file with a secret in it; {file_name} is empty.")
    return secret


def env_prefixed(prefix: str) -> dict[str, str]:
    """Returns the variables whose name starts with `prefix`, by their whole name, as for a set of secrets."""
    return {name: value for name, value in environ.items() if name.startswith(prefix)}


def current_environment() -> dict[str, str]:
    """Returns a copy of the whole environment, for a process that shall have the same."""
    return dict(environ)


def use_settings(module: str) -> None:
    """Makes `module` the settings module, unless the environment already names another one."""
    environ.setdefault("DJANGO_SETTINGS_MODULE", module)


def _text(name: str) -> str | None:
    return environ.get(name, "").strip() or None
