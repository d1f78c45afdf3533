"""Routes of health and of the pages."""

from django.urls import include, path

from status import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("", include("status.page_urls")),
]
