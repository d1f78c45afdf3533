"""The WSGI application; the web server runs it by `scheduler_project.asgi`."""

import gc
import os
from contextlib import suppress

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from scheduler_project.celery import app as celery_app

#: Objects that are made before the young ones are looked through for garbage: a long list makes as many.
YOUNG = 20_000
#: Seconds that a request waits for the broker at the most.
HINT_SECONDS = 0.1

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scheduler_project.settings")

_application = get_wsgi_application()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from access.checks import refuse_unsafe_start  # noqa: E402  only after the apps are loaded
from access.forwarding import forwarded  # noqa: E402
from database import requests, rows  # noqa: E402
from jobs.leader import incarnation  # noqa: E402
from switchyard.messaging import transport  # noqa: E402

refuse_unsafe_start()
requests.limit()
# Before anything is submitted, which would get numbers that were given already. If the database is away, the leader asks.
with suppress(*rows.TRANSIENT):
    incarnation.recognise()
connection.close()
# All that a request sends is a hint, without which the scheduler looks a second later.
transport.hurry(celery_app, HINT_SECONDS)

application = forwarded(_application, settings.TRUSTED_PROXIES)

# With the routes, which are loaded here and not by the first request, all is there that stays for good: it need not be
# looked through for garbage again and again.
_ = get_resolver().url_patterns
gc.freeze()
gc.set_threshold(YOUNG)
