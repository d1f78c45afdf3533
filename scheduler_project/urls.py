"""Every route of the installation; each app keeps its own table."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("nodes.urls")), path("api/v1/", include("jobs.urls"))]
