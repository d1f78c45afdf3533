"""What the OpenAPI document says of every route: how to identify, and the one shape of errors."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers


class ErrorSerializer(serializers.Serializer[Any]):
    """One thing that is wrong."""

    code = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)
    attr = serializers.CharField(allow_null=True)


class ErrorsSerializer(serializers.Serializer[Any]):
    """What is wrong with a request."""

    type = serializers.ChoiceField(["validation_error", "client_error", "server_error"])
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]  # a field takes the name of a property


class Schema(AutoSchema):
    """Describes routes, with the errors that any of them may answer."""

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        error = self._get_response_for_code(ErrorsSerializer, "4XX", ["application/json"])  # type: ignore[no-untyped-call]
        return {**bodies, "4XX": error}


class IdentificationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The ways of access.identify."""

    target_class = "access.drf.Identification"
    name = ["token", "basic", "session"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "http", "scheme": "bearer"},
            {"type": "http", "scheme": "basic"},
            {"type": "apiKey", "in": "cookie", "name": "sessionid"},
        ]
