"""Which PostgreSQL Rota uses: the one that DATABASE_URL names, or the embedded one."""
