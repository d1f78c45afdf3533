"""What agents fetch and store over HTTP while they run tasks, with their node's token."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from access.rules import PUBLIC, requires
from jobs import selectors


@requires(PUBLIC)
@require_GET
def inputs(request: HttpRequest, stage: int) -> JsonResponse:
    """Return the results that a stage gets from the stages it needs, as JSON texts by producer and index."""
    return JsonResponse({str(producer): texts for producer, texts in selectors.inputs_of(stage).items()})
