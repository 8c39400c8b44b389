"""The ASGI application: HTTP now; websockets join here."""

from django.core.asgi import get_asgi_application

from config.env import use_settings

use_settings("config.settings")

application = get_asgi_application()
