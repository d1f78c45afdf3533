"""The scheduler: pause, resume, strategy, and the present leader."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import Ruled, identity_of
from access.reasons import LONGEST
from access.roles import Role
from access.strict import StrictSerializer
from jobs.api.serializers import LeaderSerializer
from jobs.commands.submit import hint
from jobs.reading import selectors
from nodes import services
from nodes.reading import scheduler
from switchyard.scheduling.allocation.base import ALGORITHMS
from switchyard.scheduling.placement.base import STRATEGIES


class ChangesSerializer(StrictSerializer):
    """What may be changed of the scheduler."""

    paused = serializers.BooleanField(required=False)
    pause_reason = serializers.CharField(max_length=LONGEST, allow_blank=True, required=False)
    strategy = serializers.ChoiceField(sorted(STRATEGIES), required=False)
    allocation = serializers.ChoiceField(sorted(ALGORITHMS), required=False)
    allocation_of = serializers.DictField(child=serializers.ChoiceField(sorted(ALGORITHMS)), required=False)
    log_level = serializers.ChoiceField(services.LOG_LEVELS, required=False)
    message_handlers = serializers.IntegerField(min_value=0, max_value=services.MOST_HANDLERS, required=False)

    def validate_allocation_of(self, value: dict[str, str]) -> dict[str, str]:
        if odd := sorted(pool for pool in value if not services.is_pool_name(pool)):
            raise serializers.ValidationError(f"{odd[0]} is no name of a pool")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("pause_reason") and not attrs.get("paused"):
            raise serializers.ValidationError({"pause_reason": ["goes with paused: true"]})
        return attrs


class SchedulerSerializer(serializers.Serializer[Any]):
    """The scheduler as it is set."""

    paused = serializers.BooleanField()
    state = serializers.ChoiceField(["RUNNING", "PAUSING", "PAUSED"])
    pause_reason = serializers.CharField(allow_blank=True)
    strategy = serializers.CharField()
    strategies = serializers.ListField(child=serializers.CharField())
    allocation = serializers.CharField()
    allocation_of = serializers.DictField(child=serializers.CharField())
    allocations = serializers.ListField(child=serializers.CharField())
    log_level = serializers.CharField()
    message_handlers = serializers.IntegerField()
    leader = LeaderSerializer()
    updated_at = serializers.DateTimeField()


class SchedulerView(Ruled, APIView):
    """The scheduler: paused or not, and by which rules it works."""

    rules = {"get": Role.VIEWER, "patch": Role.OPERATOR}

    @extend_schema(responses=SchedulerSerializer)
    def get(self, request: Request) -> Response:
        """Show the scheduler."""
        return Response(_shown())

    @extend_schema(request=ChangesSerializer, responses=SchedulerSerializer)
    def patch(self, request: Request) -> Response:
        """Pause or resume the scheduler, or choose its rules."""
        given = ChangesSerializer(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        services.change_scheduler(identity_of(request), **given.validated_data)
        hint()
        return Response(_shown())


def _shown() -> Any:
    named = {"strategies": list(STRATEGIES), "allocations": list(ALGORITHMS)}
    return SchedulerSerializer(scheduler() | named | {"leader": selectors.leader()}).data
