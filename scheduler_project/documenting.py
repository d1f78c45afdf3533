"""The API's own description: the OpenAPI document, the page that shows it, and the page that it begins with."""

from django.urls import get_script_prefix
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from access.drf import Ruled
from access.roles import Role

LISTS = ("job", "node", "job-type", "event")
SINGLE = ("scheduler", "me", "schema", "docs")


class RootView(Ruled, APIView):
    """Where everything is."""

    rules = {"get": Role.VIEWER}

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """Name the places to begin with."""
        lists = {f"{name}s": reverse(f"{name}-list", request=request) for name in LISTS}
        return Response(lists | {name: reverse(name, request=request) for name in SINGLE})


class SchemaView(Ruled, SpectacularAPIView):
    """The OpenAPI document."""

    rules = {"get": Role.VIEWER}
    parameters = {"get": ("format", "lang")}

    def _get_schema_response(self, request: Request) -> Response:
        """Name the prefix that a proxy put before the paths."""
        answer: Response = super()._get_schema_response(request)  # type: ignore[no-untyped-call]  # untyped
        prefix = get_script_prefix().rstrip("/")
        answer.data |= {"servers": [{"url": prefix}]} if prefix else {}
        return answer


class DocsView(Ruled, SpectacularSwaggerSplitView):
    """The OpenAPI document as a page, whose script is a file of its own as the content policy has it."""

    rules = {"get": Role.VIEWER}
    parameters = {"get": ("script",)}
