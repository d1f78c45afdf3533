"""Routes of all wires and of known APIs that are not served; no path is in two of them."""

from django.conf import settings
from django.urls import include, path

urlpatterns = [
    *(path("", include(f"wires.{name}.urls")) for name in settings.WIRES),
    path("", include("wires.unserved")),
]
