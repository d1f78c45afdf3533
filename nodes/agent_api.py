"""HTTP requests of agents about themselves, with their node's token: registration and heartbeats."""

from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import Ruled, identity_of
from access.roles import Role
from access.rules import PUBLIC
from nodes import broker, departure, generations, services
from nodes.versions import require_fit
from switchyard.messaging.messages import IDENTITY
from switchyard.scheduling.spec.fields import NAME_PATTERN

LARGEST_TOTAL = 2**53
LARGEST_ID = 2**63 - 1
LONGEST_RESOURCE = 40
#: Drawn by the agent, of 256 bits.
SECRET = r"\A[A-Za-z0-9_-]{43}\Z"


class TotalsField(serializers.DictField):
    """How much a node has of each resource."""

    child = serializers.IntegerField(min_value=0, max_value=LARGEST_TOTAL)

    def to_internal_value(self, data: Any) -> dict[str, int]:
        totals: dict[str, int] = super().to_internal_value(data)
        for name in totals:
            if not 0 < len(name) <= LONGEST_RESOURCE:
                raise serializers.ValidationError(f"A resource's name has 1 to {LONGEST_RESOURCE} characters.")
        return totals


class AgentView(Ruled, APIView):
    """A route for agents, which is no part of the public description; `node` is the one that an agent speaks for."""

    schema = None
    node = 0

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what does not come from the last registration of a node."""
        super().initial(request, *args, **kwargs)
        self.node = generations.node_of(request.headers.get(IDENTITY, ""), identity_of(request).token)


class RegistrationSerializer(serializers.Serializer[Any]):
    """An agent, what its node has, and the session that it had."""

    name = serializers.RegexField(rf"\A(?:{NAME_PATTERN})\Z", max_length=100)
    totals = TotalsField()
    labels = serializers.DictField(child=serializers.CharField(max_length=100, allow_blank=True), default=dict)
    pool = serializers.RegexField(rf"\A(?:{NAME_PATTERN})\Z", max_length=100, default="default")
    info = serializers.DictField(default=dict)
    session = serializers.CharField(max_length=40, allow_blank=True, default="")
    version = serializers.CharField(max_length=40, allow_blank=True, default="")
    secret = serializers.RegexField(SECRET)
    last_secret = serializers.RegexField(SECRET, default="", allow_blank=True)


class HeartbeatSerializer(serializers.Serializer[Any]):
    """A sign of life, with what the node measures of itself."""

    node = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    session = serializers.CharField(max_length=40)
    number = serializers.IntegerField(min_value=0, max_value=LARGEST_ID)
    figures = serializers.DictField(default=dict)


class LeftSerializer(serializers.Serializer[Any]):
    """A session of which nothing is left, and what shows that its agent says so."""

    node = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    session = serializers.CharField(max_length=40)
    proof = serializers.CharField(max_length=100)


class RegisterView(Ruled, APIView):
    """Sessions of agents."""

    rules = {"post": Role.AGENT}
    schema = None

    def post(self, request: Request) -> Response:
        """Start a session for an agent, or let it go on with its last one."""
        told = _read(RegistrationSerializer, request)
        require_fit(told.pop("version"), settings.VERSION)
        node, resumed = services.register(**told, token=identity_of(request).token)
        answer = {"node": node.id, "session": node.session, "resumed": resumed, "last_report": node.last_report}
        user = broker.admit(node)
        login = {"name": user.name, "password": user.password} if user else None
        proof = departure.proof_of(node.id, node.session)
        return Response(answer | {"pause": node.confirmed_pause, "broker": login, "proof": proof})


class HeartbeatView(AgentView):
    """Signs of life while the broker is away."""

    rules = {"post": Role.AGENT}

    def post(self, request: Request) -> Response:
        """Note that an agent lives."""
        told = _read(HeartbeatSerializer, request)
        if told["node"] != self.node or not services.hear(self.node, told["session"], told["figures"]):
            raise generations.SessionEnded
        return Response({"acknowledged": told["number"]})


class LeftView(Ruled, APIView):
    """The last word of sessions that were ended: their token may not be valid any more, so that a proof counts."""

    rules = {"post": PUBLIC}
    schema = None

    def post(self, request: Request) -> Response:
        """Note that nothing of a session is left."""
        if not departure.leave(**_read(LeftSerializer, request)):
            raise PermissionDenied("This is not the proof of that session.")
        return Response({})


def _read(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    validated: dict[str, Any] = given.validated_data
    return validated
