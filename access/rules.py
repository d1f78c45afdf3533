"""Rules: each route names the role that it needs. A route without one is closed (middleware.Gate, drf)."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from access.roles import Role

PUBLIC = "public"
#: The application namespace of Django's admin.
ADMIN_SITE = "admin"
Rule = Role | str
View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "access_rule"


def requires(rule: Rule) -> Callable[[View], View]:
    """Declare the role that a plain view needs, or PUBLIC."""

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, rule)
        return view

    return declare


def rule_of(view: Callable[..., Any], *, app_names: Sequence[str], url_name: str | None) -> Rule | None:
    """Return the rule of a resolved plain view, or None if it has none: then it is closed.

    The views of Django's admin cannot carry a rule, so that they all have the same, apart from logging in and out.
    """
    if ADMIN_SITE in app_names:
        return PUBLIC if url_name in ("login", "logout") else Role.ADMIN
    rule: Rule | None = getattr(view, _ATTRIBUTE, None)
    return rule
