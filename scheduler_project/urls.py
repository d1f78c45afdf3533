"""Every route of the installation; each app keeps its own table."""

from django.contrib import admin
from django.urls import include, path

from scheduler_project import plain_errors

urlpatterns = [
    path("", include("status.urls")),
    path("", include("access.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("nodes.urls")),
    path("api/v1/", include("jobs.urls")),
]

handler400 = plain_errors.bad_request
handler403 = plain_errors.forbidden
handler404 = plain_errors.not_found
handler500 = plain_errors.server_error
