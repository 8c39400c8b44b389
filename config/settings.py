"""Rota's settings: one file, driven by the environment (docs/operate.md lists every variable)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from django.utils.translation import gettext_lazy as _

from config.admin_theme import UNFOLD  # noqa: F401 - django-unfold reads settings.UNFOLD
from config.channel_layers import channel_layer
from config.database.settings import database_config
from config.env import env_bool, env_int, env_list, env_path, env_prefixed, env_secret, env_str
from config.secret_key import secret_key

# ModelAdmin[Task] and the like, which Django itself does not know at run time.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

# Everything that belongs to this checkout and not to the repository: the embedded database, a generated key.
ROTA_HOME = env_path("ROTA_HOME", BASE_DIR / ".rota")

DATABASE_URL = env_secret("DATABASE_URL")
DEBUG = env_bool("DEBUG", DATABASE_URL is None)
SECRET_KEY = secret_key(debug=DEBUG, embedded=DATABASE_URL is None, home=ROTA_HOME)
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    # Ahead of channels, which brings a `runworker` of its own: the first app in this list wins.
    "workers.apps.WorkersConfig",
    "scheduling.apps.SchedulingConfig",
    "accounts.apps.AccountsConfig",
    "config",
    "unfold",
    "unfold.contrib.filters",
    # Django's admin.
    "config.console.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "channels_postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.PreferencesMiddleware",
    "accounts.middleware.RolesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # The last one, so that it is the first to hear of what went wrong.
    "config.database.absence.DatabaseAbsence",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, Any] = {"default": database_config(DATABASE_URL, ROTA_HOME)}
# Hints to open pages that there is something new. Losing one costs a second; the rows are the truth.
REDIS_URL = env_secret("REDIS_URL")
CHANNEL_LAYERS: dict[str, Any] = {"default": channel_layer(REDIS_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env_str("ROTA_TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = env_path("STATIC_ROOT", ROTA_HOME / "static")
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_bool("BEHIND_TLS_PROXY", False) else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env_bool("SECURE_COOKIES", not DEBUG)

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.api.parsers.StorableJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["accounts.api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api_errors.exception_handler",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "UPDATE_LAST_LOGIN": True,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Rota API",
    "DESCRIPTION": "Define tasks, run them, and read what happened.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Without this the page shows the schema to a validator on another site.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "TaskState": "scheduling.task_state.TASK_STATE_CHOICES",
        "InstanceState": "scheduling.api.instance_serializers.INSTANCE_STATE_CHOICES",
        "ExecutionState": "workers.api.execution_serializers.EXECUTION_STATE_CHOICES",
        "NodeHealth": "workers.api.node_views.HEALTH_CHOICES",
        "SchedulerHealth": "scheduling.api.scheduler_views.HEALTH_CHOICES",
        "WaitingFor": "scheduling.api.instance_serializers.WAITING_FOR",
        "TickState": "scheduling.api.ledger_views.TICK_STATE_CHOICES",
        "BackfillState": "scheduling.models.backfill.BACKFILL_STATE_CHOICES",
        "BackfillOverlap": "scheduling.models.backfill.BACKFILL_OVERLAP_CHOICES",
    },
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
}

# Read through scheduling/conf.py and workers/conf.py, which document each key and its default.
SCHEDULING: dict[str, Any] = {
    "RETENTION_DAYS": env_int("ROTA_RETENTION_DAYS", 90, minimum=0),
    "LOG_RETENTION_DAYS": env_int("ROTA_LOG_RETENTION_DAYS", 30, minimum=0),
}
WORKERS: dict[str, Any] = {
    "HANDLERS": env_list("ROTA_HANDLERS", []),
    "TASK_MODULES": env_list("ROTA_TASK_MODULES", []),
    "LEASE_SECONDS": env_int("ROTA_LEASE_SECONDS", 20, minimum=3),
    # What ${ROTA_SECRET_…} in a connection's URL stands for; known to workers only.
    "SECRETS": env_prefixed("ROTA_SECRET_"),
}

# What Prometheus shows to be let in; without it only people who are logged in to the admin may read the numbers.
METRICS_TOKEN = env_secret("ROTA_METRICS_TOKEN")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_str("LOG_LEVEL", "WARNING")},
    "loggers": {
        # Its own handlers would say everything a second time.
        "django": {"handlers": [], "level": env_str("LOG_LEVEL", "WARNING")},
        **{name: {"level": env_str("LOG_LEVEL", "INFO")} for name in ("scheduling", "workers", "accounts")},
    },
}
