"""The admin's site: open to the role admin alone, and only to people who logged in (no token, no open loopback)."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import reverse

from access.identifying import BadCredentials, CsrfFailed, Identity, identify
from access.passwords import LockedOut
from access.roles import Role
from database.snapshots import of_one_moment

View = Callable[..., HttpResponseBase]


class Site(AdminSite):
    """Django's admin behind our roles."""

    site_header = "Switchyard"
    site_title = "Switchyard admin"
    index_title = "Administration"
    enable_nav_sidebar = False

    def each_context(self, request: Any) -> dict[str, Any]:
        """Lead back to the pages, below the prefix that a proxy may have put before them."""
        return super().each_context(request) | {"site_url": reverse("ui-overview")}

    def has_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    def admin_view(self, view: View, cacheable: bool = False) -> Any:  # noqa: FBT001  Django's signature
        """Let admins pass, and read each page in one snapshot."""

        @wraps(view)
        def read(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            made = partial(_rendered, view, request, *args, **kwargs)
            return of_one_moment(made) if request.method in ("GET", "HEAD") else made()

        return super().admin_view(read, cacheable)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Lead to the one log-in page: Django's own would ask for its flag `is_staff` instead of a role."""
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def password_change(  # type: ignore[override]  # it leads away
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the page for everybody: Django's own knows neither lock-out nor audit."""
        return HttpResponseRedirect(reverse("password"))


def _rendered(view: View, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """Return the answer of a view, rendered: templates of the admin ask the database too."""
    made = view(*args, **kwargs)
    return made.render() if isinstance(made, SimpleTemplateResponse) else made


def is_admin(request: Any) -> bool:
    """Say whether a request comes from somebody who logged in and has the role admin."""
    return admin_identity(request) is not None


def admin_identity(request: Any) -> Identity | None:
    """Return the identity of a logged-in admin, or None."""
    try:
        identity = identify(request)
    except (BadCredentials, CsrfFailed, LockedOut):
        return None
    if identity is None or identity.via != "session" or identity.role is not Role.ADMIN:
        return None
    return identity
