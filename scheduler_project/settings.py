"""Every setting of an installation, read from the environment; odd values stop the start with a clear error."""

import tomllib
from pathlib import Path

from scheduler_project import logs
from scheduler_project.environment import Environment
from switchyard.messaging.transport import broker_url, celery_settings

env = Environment()
BASE_DIR = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
#: The version of this product; it runs from the folder that says so.
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

DEBUG = env.bool("SWITCHYARD_DEBUG", default=False)
#: Good enough on loopback alone; anywhere else the server does not start with it (access.checks).
INSECURE_SECRET_KEY = "insecure-development-key-" + "x" * 40
SECRET_KEY = env.str("SWITCHYARD_SECRET_KEY", default=INSECURE_SECRET_KEY)
ALLOWED_HOSTS = env.listed("SWITCHYARD_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".switchyard")))
#: What the web server is bound to: Granian reads the same variable, and the same is its default.
SWITCHYARD_BOUND_TO = env.str("GRANIAN_HOST", default="127.0.0.1")
#: The role of anonymous requests from this machine (access.opening); empty: none.
SWITCHYARD_OPEN_ON_LOOPBACK = env.str("SWITCHYARD_OPEN_ON_LOOPBACK", default="")

INSTALLED_APPS = [
    "scheduler_project.apps.RoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_structlog",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_prometheus",
    "simple_history",
    "access",
    "artifacts",
    "nodes",
    "jobs",
    "status",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "wires.middleware.InTheirWords",
    "access.middleware.Clean",
    "django.middleware.security.SecurityMiddleware",
    "access.middleware.SecureCookies",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    # Before that for CSRF, which reads the body: the gate says whose is read.
    "access.middleware.Gate",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "status.policy.ContentPolicy",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
#: The foreign APIs that are spoken, each a folder in wires/.
WIRES = ("ballista", "flink", "scale")
ROOT_URLCONF = "scheduler_project.urls"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": env.database("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "database.postgres"
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
#: Without a number here Django forbids psycopg to prepare statements, also those that ask for it (database.rows).
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("prepare_threshold", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL")
CELERY_BROKER_URL = broker_url(REDIS_URL)
for _name, _value in celery_settings().items():
    globals()[f"CELERY_{_name.upper()}"] = _value

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "ui-overview"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
#: Origins of pages that may read the answers of wires (wires.cors).
CORS_ORIGINS = env.listed("SWITCHYARD_CORS_ORIGINS", default=[])
CSRF_TRUSTED_ORIGINS = env.listed("SWITCHYARD_TRUSTED_ORIGINS", default=[])
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
#: Proxies whose word on a request's sender, scheme, host and prefix counts (access.forwarding).
TRUSTED_PROXIES = env.networks("SWITCHYARD_PROXIES")
#: Told to browsers that came by HTTPS, and to no others.
SECURE_HSTS_SECONDS = 30 * 24 * 3600
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # other names of the domain are not ours to close
    "security.W008",  # agents on this machine speak plain HTTP; the proxy leads browsers to HTTPS
    "security.W012",  # access.middleware.SecureCookies decides by the request
    "security.W016",  # the same
    "security.W021",  # nor is it ours to put the domain on a list of all browsers
]

#: The first is for new passwords; what the second made is read, and kept anew by the first at the next log-in.
PASSWORD_HASHERS = ["access.hashing.Argon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
#: Wrong passwords that lock out an account, and the machine they come from, for a while (access.lockout); 0: never.
LOGIN_FAILURES = env.int("SWITCHYARD_LOGIN_FAILURES", default=10)
LOGIN_FAILURES_OF_PEER = env.int("SWITCHYARD_LOGIN_FAILURES_OF_PEER", default=100)

#: Bytes of a request that are read as a whole; descriptions and logs have lower limits of their own.
LARGEST_BODY = env.int("SWITCHYARD_LARGEST_BODY", default=64 * MIB)
DATA_UPLOAD_MAX_MEMORY_SIZE = LARGEST_BODY
#: How large a job description may be (switchyard.scheduling.spec.Limits); what is not set has its default there.
DESCRIPTION_LIMITS = {
    name: env.int(f"SWITCHYARD_LIMIT_{name.upper()}")
    for name in ("bytes", "yaml_bytes", "stages", "edges", "tasks", "files_bytes")
    if f"SWITCHYARD_LIMIT_{name.upper()}" in env.ENVIRON
}
#: How many jobs and tasks of one user may be live at once (jobs.store.quotas); 0: any number.
QUOTA_JOBS = env.int("SWITCHYARD_QUOTA_JOBS", default=0)
QUOTA_TASKS = env.int("SWITCHYARD_QUOTA_TASKS", default=0)
#: Where artifacts are kept, as a URL of fsspec (artifacts.location); empty: in DATA_DIR.
STORAGE = env.location("SWITCHYARD_STORAGE")
#: Folders below which savepoints may be written, the first one unless another is asked for. All servers share them.
SAVEPOINT_FOLDERS = list(map(Path, env.listed("SWITCHYARD_SAVEPOINT_FOLDERS", default=[str(DATA_DIR / "savepoints")])))
#: Bytes kept of one artifact (a result, a file) and of one stream of one attempt.
LARGEST_ARTIFACT = env.int("SWITCHYARD_LARGEST_ARTIFACT", default=2048 * MIB)
#: Bytes of an uploaded program, of all its files together once it is unpacked, and how many files it may have.
LARGEST_PROGRAM = env.int("SWITCHYARD_LARGEST_PROGRAM", default=256 * MIB)
PROGRAM_BYTES = env.int("SWITCHYARD_PROGRAM_BYTES", default=1024 * MIB)
PROGRAM_FILES = env.int("SWITCHYARD_PROGRAM_FILES", default=10_000)
#: Seconds that a function of a program may take to describe a job (jobs.commands.planning).
PLANNING_SECONDS = env.int("SWITCHYARD_PLANNING_SECONDS", default=60)
LARGEST_LOG = env.int("SWITCHYARD_LARGEST_LOG", default=64 * MIB)
#: Days that jobs are kept after their end, with their logs and results (jobs.upkeep.retention).
KEEP_DAYS = env.int("SWITCHYARD_KEEP_DAYS", default=30)

#: Whether all clients of Flink's wire are told the keys of its later releases, as browsers are (docs/wires.md).
FLINK_LATER_KEYS = env.bool("SWITCHYARD_FLINK_LATER_KEYS", default=False)
#: What stops the whole installation when an admin asks for that from afar (nodes.shutdown); none: nobody may.
SHUTDOWN_COMMAND = env.str("SWITCHYARD_SHUTDOWN_COMMAND", default="")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["access.drf.Identification"],
    "DEFAULT_PERMISSION_CLASSES": ["access.drf.ByRole"],
    "DEFAULT_PARSER_CLASSES": ["scheduler_project.parsing.CleanJson"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_SCHEMA_CLASS": "scheduler_project.schemas.Schema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DEFAULT_PAGINATION_CLASS": "scheduler_project.paging.ByCursor",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Switchyard",
    "VERSION": "1",
    "DESCRIPTION": "Submit jobs, watch them, look after the cluster. Roles and shapes are told in docs/api.md.",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["access.drf.ByRole"],
    "SERVE_AUTHENTICATION": ["access.drf.Identification"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "JobState": "jobs.api.serializers.JOB_STATES",
        "Intent": "jobs.api.serializers.INTENTS",
        "TaskState": "jobs.api.serializers.TASK_STATES",
        "OperationKind": "jobs.api.serializers.OPERATION_KINDS",
        "OperationState": "jobs.api.serializers.OPERATION_STATES",
        "CheckpointState": "jobs.api.checkpoints.CHECKPOINT_STATES",
        "StageState": "jobs.api.serializers.STAGE_STATES",
        "NodeState": "nodes.reading.STATES",
        "Role": "access.api.ROLES",
        "PersonRole": "access.api.PERSON_ROLES",
    },
}
DRF_STANDARDIZED_ERRORS = {"EXCEPTION_HANDLER_CLASS": "scheduler_project.exceptions.Handler"}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
#: Migrations are told by /readyz; counting them would open the database in every process.
PROMETHEUS_EXPORT_MIGRATIONS = False
STATIC_URL = "/static/"
STORAGES = {"staticfiles": {"BACKEND": "scheduler_project.static_files.BelowThePrefix"}}
STATICFILES_DIRS = [BASE_DIR / "static"]
#: Static files are served from the packages that bring them: nothing is collected or built.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

#: What a request says of the machines that it passed may be made up, and took a third of the time of a request's logging.
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
LOGGING = logs.configuration(env.str("SWITCHYARD_LOG_LEVEL", default="INFO"), env.str("SWITCHYARD_LOG_FORMAT", default=""))
