"""Static files: where pages find them."""

from django.contrib.staticfiles.storage import StaticFilesStorage
from django.urls import get_script_prefix


class BelowThePrefix(StaticFilesStorage):
    """Names static files below the prefix of the request, which another one may not have."""

    def url(self, name: str | None) -> str:
        return get_script_prefix().rstrip("/") + super().url(name)
