"""Every route of the installation; each app keeps its own table."""

from django.contrib import admin
from django.urls import include, path, re_path

from scheduler_project import documenting, plain_errors

#: First what is asked most: routes are tried one after the other.
urlpatterns = [
    path("api/v1/", include("jobs.urls")),
    path("api/v1/", include("nodes.urls")),
    path("", include("status.urls")),
    path("", include("access.urls")),
    path("admin/", admin.site.urls),
    re_path("^api/v1/?$", documenting.RootView.as_view(), name="api"),
    re_path("^api/v1/schema/?$", documenting.SchemaView.as_view(), name="schema"),
    re_path("^api/v1/docs/?$", documenting.DocsView.as_view(url_name="schema"), name="docs"),
    path("", include("wires.urls")),
]

handler400 = plain_errors.bad_request
handler403 = plain_errors.forbidden
handler404 = plain_errors.not_found
handler500 = plain_errors.server_error
