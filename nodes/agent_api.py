"""What agents ask over HTTP, with their node's token."""

import json

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from nodes import services


@csrf_exempt
@require_POST
def register(request: HttpRequest) -> JsonResponse:
    """Start a session for an agent."""
    data = json.loads(request.body)
    node = services.register(
        data["name"], totals=data["totals"], labels=data["labels"], pool=data["pool"], info=data["info"]
    )
    return JsonResponse({"node": node.id, "session": node.session})
