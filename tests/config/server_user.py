"""The process behind ServerUser: a statement a line in, what it returned and who served it out."""

import json
import signal
import sys
from pathlib import Path

import psycopg

from config.embedded.membership import DATA_NAME, GUARD_NAME
from config.embedded.postmaster import read_postmaster
from config.embedded.server import ensure_running

# Whoever started the tests in the background had Ctrl-C ignored, which children inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

home = Path(sys.argv[1])
for line in sys.stdin:
    server = ensure_running(home, "rota")
    with psycopg.connect(host=str(server.socket_dir), port=server.port, user=server.user, dbname="rota") as connection:
        cursor = connection.execute(json.loads(line))
        row = cursor.fetchone() if cursor.description else None
    postmaster = read_postmaster(home / DATA_NAME)
    assert postmaster is not None
    answer = {
        "value": row[0] if row else None,
        "postmaster": postmaster.pid,
        "guard": int((home / GUARD_NAME).read_text()),
        "socket_dir": str(server.socket_dir),
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
