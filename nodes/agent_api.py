"""What agents ask over HTTP, with their node's token."""

import json

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from access.rules import PUBLIC, requires
from nodes import services


@requires(PUBLIC)
@csrf_exempt
@require_POST
def register(request: HttpRequest) -> JsonResponse:
    """Start a session for an agent, or let it go on with its last one."""
    data = json.loads(request.body)
    node, resumed = services.register(
        data["name"],
        totals=data["totals"],
        labels=data["labels"],
        pool=data["pool"],
        info=data["info"],
        session=data.get("session", ""),
    )
    return JsonResponse({"node": node.id, "session": node.session, "resumed": resumed, "last_report": node.last_report})
