"""Rules: each route names the role that it needs. A route without one is closed (middleware.Gate, drf)."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.admin.sites import AdminSite

from access.roles import Role

PUBLIC = "public"
Rule = Role | str
View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "access_rule"


def requires(rule: Rule) -> Callable[[View], View]:
    """Declare the role that a plain view needs, or PUBLIC."""

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, rule)
        return view

    return declare


def rule_of(view: Callable[..., Any]) -> Rule | None:
    """Return the rule of a resolved plain view, or None if it has none: then it is closed."""
    # Of the admin's views, those of the site name it, those of a model their ModelAdmin.
    owner = getattr(view, "model_admin", view)
    if isinstance(getattr(owner, "admin_site", None), AdminSite):
        # The admin asks its own has_permission and shows its login page to anyone.
        return PUBLIC
    rule: Rule | None = getattr(view, _ATTRIBUTE, None)
    return rule
