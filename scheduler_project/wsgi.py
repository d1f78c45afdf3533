"""The WSGI application that the web server runs."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scheduler_project.settings")

application = get_wsgi_application()

from access.checks import refuse_unsafe_start  # noqa: E402  only after the apps are loaded

refuse_unsafe_start()
