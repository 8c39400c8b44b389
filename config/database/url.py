"""The address of the default database, for another process or another library to connect to."""

from urllib.parse import quote, urlencode

from django.db import connection


def url_of_default(scheme: str = "postgresql") -> str:
    """Return the default database's address, its password included; starts the embedded server if need be."""
    params = connection.get_connection_params()
    user, password = (quote(str(params.get(key) or ""), safe="") for key in ("user", "password"))
    name = quote(str(params["dbname"]), safe="")
    query = {key: str(params[key]) for key in ("host", "port", "sslmode") if params.get(key)}
    return f"{scheme}://{user}{':' + password if password else ''}@/{name}?{urlencode(query)}"
