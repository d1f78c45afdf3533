"""All routes of the installation, as the resolver knows them, each with a path that leads to it."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from django.urls import URLPattern, URLResolver, get_resolver

from access.middleware import guards_itself

SAMPLES = {
    "job": str(UUID(int=1)),
    "index": "0",
    "attempt": "0",
    "stream": "stdout",
    "digest": "0" * 64,
    "type": "none:1",
    "node": "nowhere",
    "key": str(UUID(int=1)),
    "executor": "nowhere",
    "vertex": "0" * 32,
    "subtask": "0",
    "trigger": "0" * 32,
    "program": str(UUID(int=1)),
    "operation": str(UUID(int=1)),
}


class Route(NamedTuple):
    """A pattern, as people would write it, and the view behind it."""

    pattern: str
    view: Callable[..., Any]
    app_names: tuple[str, ...]
    url_name: str | None

    @property
    def path(self) -> str:
        """A path that leads here, to things that do not exist."""
        return re.sub(r"\{(\w+)\}", lambda match: SAMPLES.get(match[1], "1"), self.pattern)

    @property
    def methods(self) -> list[str]:
        """The methods that the view takes, apart from HEAD and OPTIONS; plain views do not tell, so GET."""
        actions: dict[str, str] = getattr(self.view, "actions", None) or {}
        shown = getattr(self.view, "cls", None) or (self.view.view_class if guards_itself(self.view) else None)  # type: ignore[attr-defined]
        handled = actions or {name for name in ("get", "post", "put", "patch", "delete") if hasattr(shown, name)}
        # The first request adds HEAD to a viewset's actions.
        return sorted({name.upper() for name in handled} - {"HEAD"}) or ["GET"]


def routes() -> list[Route]:
    """Return every route, in the order in which they are tried."""
    return list(_walk(get_resolver().url_patterns, "", ()))


def _walk(patterns: list[Any], prefix: str, app_names: tuple[str, ...]) -> Iterator[Route]:
    for pattern in patterns:
        path = prefix + _readable(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            names = (*app_names, pattern.app_name) if pattern.app_name else app_names
            yield from _walk(pattern.url_patterns, path, names)
        elif isinstance(pattern, URLPattern):
            yield Route("/" + path, pattern.callback, app_names, pattern.name)


def _readable(pattern: str) -> str:
    """Turn both kinds of Django's patterns into one with names in braces."""
    pattern = pattern.replace("(?:v1/)?", "")
    named = re.sub(r"\(\?P<(\w+)>(?:\[[^\]]*\](?:\{[\d,]+\})?:?|[^()\[])*\)", r"{\1}", pattern)
    named = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", named)
    return re.sub(r"/\?(\\Z|\$)$", "", named).replace("\\Z", "").replace("\\", "").strip("^$")
