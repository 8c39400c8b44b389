"""Chaos: kill, freeze and cut everything at random, then look whether the promises were kept.

    python -m tests.chaos --seconds 60 --seed 1

The last line is `promises kept: yes` or `promises kept: no`; the exit code is 0 or 1.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> int:
    """Run, report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long faults are injected (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices (default: 1)")
    parser.add_argument("--schedulers", type=int, default=2)
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rota-chaos-") as folder:
        os.environ["ROTA_HOME"] = str(Path(folder) / "home")
        os.environ.pop("DATABASE_URL", None)

        import django

        django.setup()
        from tests.chaos.run import run

        return run(Path(folder), options)


if __name__ == "__main__":
    # Whatever happens, what was started is ended by run()'s own finally.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with suppress(KeyboardInterrupt):
        sys.exit(main())
