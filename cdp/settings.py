"""All settings, in one file, read from the environment by typed readers that fail loudly.

Without `DATABASE_URL` the installation is *local*: an embedded PostgreSQL and generated secrets below `VAR_DIR`.
With it, every secret must be given; any variable can come from a file named by the same variable plus `_FILE`.
"""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _
from kombu import Queue

from cdp.broker.options import transport_options
from cdp.embedded.postgres import database_url
from cdp.embedded.secret_files import read_or_make_secret
from cdp.environment import Environment
from cdp.processes.kinds import NAMES, parse_plan, route_task
from cdp.web.routes import BULK_BYTES

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

VAR_DIR = env.path("VAR_DIR", BASE_DIR / "var")
PORT = env.integer("PORT", 8000)
#: web processes that `make run` starts; the collector shares commits within each
WEB_WORKERS = env.integer("WEB_WORKERS", 1)
#: True when nothing was configured: embedded PostgreSQL, capture mailbox, generated secrets
LOCAL = not env.given("DATABASE_URL")
DEBUG = env.boolean("DEBUG", False)
DEMO = env.boolean("DEMO", False)

if LOCAL:
    SECRET_KEY = env.secret("SECRET_KEY", read_or_make_secret(VAR_DIR, "secret_key"))
    LINK_KEY = env.secret("LINK_KEY", read_or_make_secret(VAR_DIR, "link_key"))
    SUPPRESSION_KEY = env.secret("SUPPRESSION_KEY", read_or_make_secret(VAR_DIR, "suppression_key"))
else:
    SECRET_KEY = env.secret("SECRET_KEY")
    #: signs unsubscribe and preference links; its own key, so that they outlive a change of SECRET_KEY
    LINK_KEY = env.secret("LINK_KEY", SECRET_KEY)
    #: keys the digests of suppressed addresses; if it is lost, suppression is lost
    SUPPRESSION_KEY = env.secret("SUPPRESSION_KEY", SECRET_KEY)
SECRET_KEY_FALLBACKS = env.strings("SECRET_KEY_FALLBACKS", [])
LINK_KEY_FALLBACKS = env.strings("LINK_KEY_FALLBACKS", [])
#: replaced keys, newest first: what was digested under them is still found (manage.py rotate_suppression_key)
SUPPRESSION_KEY_FALLBACKS = env.strings(
    "SUPPRESSION_KEY_FALLBACKS", [] if LOCAL or env.given("SUPPRESSION_KEY") else SECRET_KEY_FALLBACKS
)

SITE_URL = env.text("SITE_URL", f"http://localhost:{PORT}").rstrip("/")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", SITE_URL)
CSRF_TRUSTED_ORIGINS = [SITE_URL] if SITE_URL.startswith("https://") else []
HTTPS = SITE_URL.startswith("https://")

INSTALLED_APPS = [
    "cdp.apps.CdpConfig",
    "cdp.apps.KlantbeeldAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "cdp.apps.OwnStaticFilesConfig",
    "django.contrib.humanize",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "import_export",
    "django_celery_beat",
    "django_htmx",
    "axes",
    "csp",
    "cdp.common.apps.CommonConfig",
    "profiles.apps.ProfilesConfig",
    "consent.apps.ConsentConfig",
    "segments.apps.SegmentsConfig",
    "campaigns.apps.CampaignsConfig",
]
if (BASE_DIR / "demo" / "apps.py").exists():  # the image goes without the demo shop
    INSTALLED_APPS.append("demo.apps.DemoConfig")

MIDDLEWARE = [
    "cdp.common.acting.CurrentRequest",
    "cdp.page_headers.PageHeaders",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "cdp.accounts.temporary.TemporaryPassword",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "cdp.common.zones.ReaderZone",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "cdp.urls"
WSGI_APPLICATION = "cdp.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cdp.common.context.chrome",
            ],
        },
    },
]

FORM_RENDERER = "cdp.common.forms.KitRenderer"

DATABASES = {"default": env.database("DATABASE_URL", database_url(VAR_DIR))}
DATABASES["default"].update(
    CONN_MAX_AGE=600,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={
        # A page may not run for ever; drains and imports raise this for themselves (SET LOCAL statement_timeout).
        # The server looks whether we are still there: a killed process must not hold its rows until its statement ends.
        "options": "-c statement_timeout=30000 -c idle_in_transaction_session_timeout=120000 -c lock_timeout=15000"
        " -c client_connection_check_interval=5000",
        # A network that swallows everything is noticed within a quarter of a minute, in a page as in a drain.
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        **DATABASES["default"].get("OPTIONS", {}),
    },
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Accounts ------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
#: the limits themselves are in cdp/accounts/login_limits.py
AXES_HANDLER = "cdp.accounts.login_limits.LoginHandler"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "cdp.accounts.login_limits.login_address"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or a lock would last as long as somebody knocks
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
if HTTPS:  # no sub-domain and no page without TLS can set a cookie of such a name
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
CSRF_FAILURE_VIEW = "cdp.home.refused.csrf_failed"
CSRF_COOKIE_SECURE = HTTPS

# Browser walls -------------------------------------------------------------------------------------------------
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", 31_536_000 if HTTPS else 0)
#: a proxy of ours stands in front: its X-Forwarded-For and X-Forwarded-Proto are believed
TRUST_PROXY = env.boolean("TRUST_PROXY", False)
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# Language and time ---------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("nl", _("Dutch"))]
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "libraries"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
#: the zone in which marketers plan, unless they say otherwise
BUSINESS_TIME_ZONE = env.text("BUSINESS_TIME_ZONE", "Europe/Amsterdam")
#: the country of telephone numbers that are written without one, as ISO 3166 has it
BUSINESS_COUNTRY = env.country("BUSINESS_COUNTRY", "NL")

# What outlives the database: see docs/backup.md --------------------------------------------------------------------
#: erasures, refusals and who was mailed, as keyed digests. Shared by all processes; never part of a database backup
JOURNAL_DIR = env.path("JOURNAL_DIR", VAR_DIR / "journal")

# Files ---------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": VAR_DIR / "files"}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = LOCAL
WHITENOISE_MANIFEST_STRICT = False
#: the most that any address takes in memory; each has a limit of its own before Django is asked (cdp/web/routes.py)
DATA_UPLOAD_MAX_MEMORY_SIZE = BULK_BYTES
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
IMPORT_MAX_BYTES = env.integer("IMPORT_MAX_BYTES", 500 * 1024 * 1024)

# Mail ----------------------------------------------------------------------------------------------------------
#: SMTP server of campaigns; unset: the local capture mailbox, which sends nothing out
CAPTURE_MAIL = not env.given("EMAIL_URL")
CAPTURE_SMTP_PORT = env.integer("CAPTURE_SMTP_PORT", PORT + 25)
MAIL_SERVER = env.mail_server("EMAIL_URL", f"smtp://127.0.0.1:{CAPTURE_SMTP_PORT}")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Klantbeeld <hello@shop.example>")
#: who is responsible, shown in the footer of every mail (name, postal address)
SENDER_IDENTITY = env.text("SENDER_IDENTITY", "Klantbeeld Demo Shop, Oudegracht 1, 3511 AA Utrecht")
EMAIL_HOST, EMAIL_PORT = MAIL_SERVER.host, MAIL_SERVER.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL_SERVER.username, MAIL_SERVER.password
EMAIL_USE_SSL, EMAIL_USE_TLS = MAIL_SERVER.implicit_tls, MAIL_SERVER.start_tls
EMAIL_TIMEOUT = 60

# Collection ----------------------------------------------------------------------------------------------------
#: keep only /24 or /48 of addresses (GDPR art. 25: by default)
TRUNCATE_IP = env.boolean("TRUNCATE_IP", True)
#: events a second that one key may send to one web process; 0: no limit
COLLECT_EVENTS_PER_SECOND = env.integer("COLLECT_EVENTS_PER_SECOND", 100_000)
#: below this much free disk (local installation) the collector answers 503 before PostgreSQL has to stop; 0: never
COLLECT_MIN_FREE_MB = env.integer("COLLECT_MIN_FREE_MB", 512)

# Celery: wakes drains up; PostgreSQL is the queue of record ----------------------------------------------------
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "pgmq://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TIMEZONE = "UTC"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None
CELERY_TASK_ROUTES = (route_task,)
CELERY_TASK_QUEUES = [Queue(name) for name in NAMES]
CELERY_TASK_DEFAULT_QUEUE = "upkeep"
CELERY_BROKER_TRANSPORT_OPTIONS = transport_options(CELERY_BROKER_URL, DATABASES["default"])
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
#: threads, not children: a child that is killed takes the locks of Celery's process pool along, and nobody goes on.
#: There are no time limits for tasks: the watchdog ends a process that hangs (cdp/processes/watchdog.py).
CELERY_WORKER_POOL = "threads"
#: of a worker for all kinds at once (`celery -A cdp worker`); the usual one per kind has as many as the kind says
CELERY_WORKER_CONCURRENCY = env.integer("WORKER_CONCURRENCY", 4)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
#: a worker that grew beyond this many MB ends after the task at hand and is started anew; 0: no limit
WORKER_MAX_MB = env.integer("WORKER_MAX_MB", 700)
#: processes per kind of work, e.g. `events=2,imports=0`; one of each that is not named
WORKERS = env.parsed("WORKERS", parse_plan)
CELERY_BEAT_SCHEDULER = "cdp.processes.beat:LeaseScheduler"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# API: requests a second of one token in one web process, by kind, ten seconds' worth at once; 0: no limit -------
API_RATES = {
    "reads": env.integer("API_READS_PER_SECOND", 50),
    "writes": env.integer("API_WRITES_PER_SECOND", 20),
    "bulk": env.integer("API_BULK_PER_SECOND", 2),
}
#: refused tokens from one address; 0: no limit
API_FAILURES_PER_MINUTE = env.integer("API_FAILURES_PER_MINUTE", 30)

# API -----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "cdp.common.api.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["cdp.common.api.StrictModelPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["cdp.common.api.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "cdp.common.api_pages.KeysetPages",
    "DEFAULT_FILTER_BACKENDS": ["cdp.common.filters.ListFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "cdp.common.api_schema.OperationSchema",
    "EXCEPTION_HANDLER": "cdp.common.api_errors.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Klantbeeld API",
    "VERSION": "0.1.0",
    "DESCRIPTION": "The REST API (`/api/v1/`, a token) and the collection API (`/v1/`, a write key). See docs/api.md.",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "AUTHENTICATION_WHITELIST": ["cdp.common.api.TokenAuthentication"],
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "cdp.common.api_schema.complete",
    ],
    # Fields of the same name with other choices: names that a reader of the schema understands.
    "ENUM_NAME_OVERRIDES": {
        "MessageFormatEnum": "campaigns.models.BodyFormat.choices",
        "SegmentKindEnum": "segments.models.Kind.choices",
        "SegmentStatusEnum": "segments.models.Status.choices",
        "CampaignStatusEnum": "campaigns.models.CampaignStatus.choices",
        "ConsentStateEnum": "consent.models.ledger.State.choices",
        "ConsentChannelEnum": "consent.models.purpose.Channel.choices",
        "SourceKindEnum": "profiles.models.source.SourceKind.choices",
        "ExportFormatEnum": "profiles.models.export.ExportFormat.choices",
        "PersonItemStatusEnum": "profiles.api.bulk.PERSON_STATUSES",
        "EventItemStatusEnum": "profiles.api.bulk.EVENT_STATUSES",
        "SuppressionReasonEnum": "consent.models.SuppressionReason.choices",
        "SuppressionKindEnum": "consent.api.others.ADDRESS_KINDS",
    },
}

# Logs: JSON where another program reads them, plain where a person does ------------------------------------------
LOG_JSON = env.boolean("LOG_JSON", not LOCAL)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "cdp.logs.formatter", "as_json": LOG_JSON}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {"axes": {"level": "WARNING"}, "kombu": {"level": "ERROR"}},
}
