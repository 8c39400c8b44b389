"""Settings with one small app, for tests of what settings are made of."""

from pathlib import Path

from config.database.settings import database_config
from config.env import env_bool, env_path, env_secret
from config.secret_key import secret_key

ROTA_HOME = env_path("ROTA_HOME", Path("/nonexistent"))
DATABASE_URL = env_secret("DATABASE_URL")
DEBUG = env_bool("DEBUG", True)
SECRET_KEY = secret_key(debug=DEBUG, embedded=DATABASE_URL is None, home=ROTA_HOME)
INSTALLED_APPS = ["django.contrib.contenttypes"]
DATABASES = {"default": database_config(DATABASE_URL, ROTA_HOME)}
USE_TZ = True
