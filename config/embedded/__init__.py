"""A PostgreSQL server of Rota's own, for whoever has none: the processes of one installation share it.

Who does what:

    server        ensure_running(): the one door in
    membership    who uses the server, and what the last one does on leaving
    guard         a small process that stops the server when the last user was killed
    locks         the kernel's file locks, on which membership rests
    cluster       makes the data directory, starts and stops the server
    postmaster    reads who runs in a data directory, and does not believe a stale file
    installation  finds the programs and the account that runs them
    commands      runs one of the programs

All files lie in one directory (`home`): `postgres/` with the data and `server.log`, `postgres.users`,
`postgres.start` and `postgres.guard`, which are only locked.

Nothing here but `server` imports Django, for the guard has to be small and quick.
"""
