"""CHANNEL_LAYERS["default"], made from REDIS_URL or, without one, on the database that is there anyway."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

#: Redis' own addresses: plain, over TLS, and a socket in the file system.
SCHEMES = ("redis", "rediss", "unix")


def channel_layer(redis_url: str | None) -> dict[str, Any]:
    """Returns the settings of the one channel layer.

    Both kinds carry hints at most once: whoever hears one reads rows. A url that is not Redis' is refused with
    ImproperlyConfigured, in one sentence that repeats no part of it, for a part may be a password.
    """
    if redis_url is None:
        return {"BACKEND": "scheduling.push.postgres_layer.PostgresLayer"}
    try:
        scheme = urlsplit(redis_url).scheme
    except ValueError:
        scheme = ""
    if scheme not in SCHEMES:
        raise ImproperlyConfigured("REDIS_URL must name a Redis server, such as redis://:password@host:6379/0.")
    return {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [redis_url], "prefix": "rota"},
    }
