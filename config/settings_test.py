"""Settings of the test suite: a database of its own, and nothing that slows a test without making it truer."""

from config.database.settings import database_config
from config.env import env_path
from config.settings import *  # noqa: F403 - a settings module inherits by design
from config.settings import BASE_DIR, DATABASE_URL

# The embedded server of the tests lives apart from the one that a developer's demo uses.
ROTA_HOME = env_path("ROTA_TEST_HOME", BASE_DIR / ".rota-test")
DATABASES = {"default": database_config(DATABASE_URL, ROTA_HOME)}

DEBUG = False
SECRET_KEY = "tests only; long enough for the signature of a JSON Web Token"  # noqa: S105 - not a secret
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_AUTOREFRESH = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
