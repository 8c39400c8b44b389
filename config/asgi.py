"""The ASGI application: HTTP, and websockets for logs that are followed."""

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from config.env import use_settings

use_settings("config.settings")

http = get_asgi_application()

# After Django was set up: what follows imports models.
from config.database.web_session import limit_web_sessions  # noqa: E402 - see above
from config.warm_up import warm_up  # noqa: E402 - see above
from workers.consumers.routing import websocket_application  # noqa: E402 - see above

limit_web_sessions()
application = ProtocolTypeRouter({"http": http, "websocket": websocket_application()})
warm_up()
