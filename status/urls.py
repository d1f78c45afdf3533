"""Routes of health."""

from django.urls import path

from status import health

urlpatterns = [path("healthz", health.healthz), path("readyz", health.readyz)]
