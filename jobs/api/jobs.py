"""Jobs: submit, list, look, cancel, retry, delete."""

from typing import Any

from django.db import transaction
from django.http import Http404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from access import audit
from access.drf import Ruled, identity_of
from access.roles import Role
from jobs import showing
from jobs.api import parsers
from jobs.submitting import submit
from scheduling.spec import parse

LONGEST_KEY = 200


class JobViewSet(Ruled, GenericViewSet):  # type: ignore[type-arg]
    """What users submitted."""

    rules = {"create": Role.OPERATOR, "retrieve": Role.VIEWER}
    parser_classes = (
        parsers.JsonDescription,
        parsers.YamlDescription,
        parsers.OtherYamlDescription,
        parsers.TextYamlDescription,
    )
    lookup_url_kwarg = "job"

    def create(self, request: Request) -> Response:
        """Submit a job described in JSON or YAML; the same Idempotency-Key gives the same job."""
        key = request.headers.get("Idempotency-Key") or None
        made = self._submit(request, key)
        answer = Response(_found(made["id"]), status.HTTP_201_CREATED if made["new"] else status.HTTP_200_OK)
        answer["Location"] = reverse("job-detail", [made["id"]], request=request)
        return answer

    def retrieve(self, request: Request, job: str) -> Response:
        """Show one job in full."""
        id_ = showing.id_of(job)
        if id_ is None:
            raise Http404
        return Response(_found(id_))

    def _submit(self, request: Request, key: str | None) -> dict[str, Any]:
        described: Any = request.data
        spec = parse(described, format="json" if request.content_type == "application/json" else "yaml")
        with transaction.atomic():
            made = submit(spec, owner=request.user.pk, idempotency_key=key)
            audit.record(identity_of(request), "job.submit", made.id, name=made.name)
        return {"id": made.id, "new": True}


def _found(id_: Any) -> dict[str, Any]:
    shown = showing.job(id_)
    if shown is None:
        raise Http404
    return shown
