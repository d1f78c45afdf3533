"""People and tokens: the caller, tokens, users, the audit."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from access import services
from access.drf import Ruled, identity_of
from access.models import AuditEntry, Token
from access.roles import PEOPLE, Role, role_of
from access.strict import StrictSerializer

LARGEST_ID = 2**63 - 1

ROLES = [(role.value, role.value) for role in Role]
PERSON_ROLES = [(role.value, role.value) for role in PEOPLE]


class MeSerializer(serializers.Serializer[Any]):
    """Who sends this request."""

    user = serializers.CharField()
    role = serializers.ChoiceField(PERSON_ROLES)
    via = serializers.ChoiceField(["token", "basic", "session", "loopback"])


class TokenSerializer(serializers.Serializer[Any]):
    """A token as lists show it, which is never the token itself."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    owner = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(ROLES)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class NewTokenSerializer(TokenSerializer):
    """A token at the only time that it is shown."""

    token = serializers.CharField()


class WantedTokenSerializer(StrictSerializer):
    """A token to be made; an agent's has no owner, any other needs one."""

    name = serializers.CharField(max_length=100)
    owner = serializers.CharField(max_length=150, required=False, allow_null=True)
    role = serializers.ChoiceField(ROLES)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_expires_at(self, value: Any) -> Any:
        if value and value <= timezone.now():
            raise serializers.ValidationError("is in the past")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["role"] == Role.AGENT) == bool(attrs.get("owner")):
            raise serializers.ValidationError({"owner": ["agents' tokens have no owner, all others need one"]})
        return attrs


class UserSerializer(serializers.Serializer[Any]):
    """Somebody who may log in."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    role = serializers.CharField(allow_null=True)
    active = serializers.BooleanField()
    last_login = serializers.DateTimeField(allow_null=True)


class AuditSerializer(serializers.Serializer[Any]):
    """A change that a person made."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    user = serializers.CharField()
    via = serializers.CharField()
    action = serializers.CharField()
    target = serializers.CharField()
    details = serializers.JSONField()


class MeView(Ruled, APIView):
    """Who am I?"""

    rules = {"get": Role.VIEWER}

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Say who sends this request, in which role, and how that is known."""
        identity = identity_of(request)
        return Response({"user": identity.name, "role": identity.role, "via": identity.via})


class TokenViewSet(Ruled, GenericViewSet[Any]):
    """Tokens of all people and agents."""

    rules = {"list": Role.ADMIN, "create": Role.ADMIN, "destroy": Role.ADMIN}
    serializer_class = TokenSerializer
    queryset = Token.objects.values("id", "name", "role", "created_at", "expires_at", "last_used_at", "owner__username")
    ordering = ("-id",)
    lookup_url_kwarg = "token"
    lookup_value_regex = "[0-9]{1,19}"

    def list(self, request: Request) -> Response:
        """List the tokens, newest first."""
        page = self.paginate_queryset(self.get_queryset()) or []
        shown = [row | {"owner": row["owner__username"]} for row in page]
        return self.get_paginated_response(TokenSerializer(shown, many=True).data)

    @extend_schema(request=WantedTokenSerializer, responses={201: NewTokenSerializer})
    def create(self, request: Request) -> Response:
        """Make a token; the answer shows it, this once."""
        wanted = WantedTokenSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        told = wanted.validated_data
        owner = _owner(told.get("owner"))
        token, secret = services.create_token(
            identity_of(request), told["name"], role=Role(told["role"]), owner=owner, expires_at=told.get("expires_at")
        )
        shown = {
            "id": token.id,
            "name": token.name,
            "owner": owner and owner.get_username(),
            "role": token.role,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "last_used_at": None,
            "token": secret,
        }
        return Response(NewTokenSerializer(shown).data, status.HTTP_201_CREATED)

    def destroy(self, request: Request, token: str) -> Response:
        """Revoke a token."""
        if int(token) > LARGEST_ID or not services.delete_token(identity_of(request), int(token)):
            raise NotFound(f"There is no token {token:.20}.")
        return Response(status=status.HTTP_204_NO_CONTENT)


class UserViewSet(Ruled, GenericViewSet[Any]):
    """Everybody who may log in; changed in the admin."""

    rules = {"list": Role.ADMIN}
    serializer_class = UserSerializer
    queryset = User.objects.prefetch_related("groups")
    ordering = ("username",)

    def list(self, request: Request) -> Response:
        """List the users by name."""
        page = self.paginate_queryset(self.get_queryset()) or []
        shown = [
            {
                "id": user.pk,
                "name": user.get_username(),
                "role": role_of(user),
                "active": user.is_active,
                "last_login": user.last_login,
            }
            for user in page
        ]
        return self.get_paginated_response(UserSerializer(shown, many=True).data)


class AuditViewSet(Ruled, GenericViewSet[Any]):
    """What people changed."""

    rules = {"list": Role.ADMIN}
    parameters = {"list": ("user", "action")}
    serializer_class = AuditSerializer
    queryset = AuditEntry.objects.values("id", "at", "via", "action", "target", "details", name=F("user_name"))
    ordering = ("-id",)

    def list(self, request: Request) -> Response:
        """List changes, newest first."""
        asked = {
            field: request.query_params[name]
            for name, field in (("user", "user_name"), ("action", "action"))
            if name in request.query_params
        }
        page = self.paginate_queryset(self.get_queryset().filter(**asked)) or []
        shown = [row | {"user": row["name"]} for row in page]
        return self.get_paginated_response(AuditSerializer(shown, many=True).data)


def _owner(name: str | None) -> User | None:
    if not name:
        return None
    found = User.objects.filter(username=name).first()
    if found is None:
        raise serializers.ValidationError({"owner": ["there is no such user"]})
    return found
