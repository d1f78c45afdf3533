"""Routes of health and of the pages."""

from django.urls import include, path

from status import health, metrics

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("", include("status.page_urls")),
]
