"""The reason that an operator gives with a change."""

from rest_framework import serializers
from rest_framework.request import Request

from access.strict import StrictSerializer

LONGEST = 250


class ReasonSerializer(StrictSerializer):
    """Why something is paused or taken out."""

    reason = serializers.CharField(max_length=LONGEST, required=False, allow_blank=True, default="")


def reason_of(request: Request) -> str:
    """Return the reason in a request's body; raises ValidationError."""
    given = ReasonSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    reason: str = given.validated_data["reason"]
    return reason
