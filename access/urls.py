"""Routes of login and logout, the own password, people and tokens."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path, re_path

from access.api import AuditViewSet, MeView, TokenViewSet, UserViewSet
from access.login import LoginPage
from access.own_password import OwnPasswordPage, PasswordChangedPage
from access.roles import Role
from access.routing import BothFormsRouter
from access.rules import PUBLIC, requires

router = BothFormsRouter()
router.register("tokens", TokenViewSet, basename="token")
router.register("users", UserViewSet, basename="user")
router.register("audit", AuditViewSet, basename="audit")

urlpatterns = [
    path("ui/login", requires(PUBLIC)(LoginPage.as_view()), name="login"),
    path("ui/logout", requires(PUBLIC)(LogoutView.as_view()), name="logout"),
    path("ui/password", requires(Role.VIEWER)(OwnPasswordPage.as_view()), name="password"),
    path("ui/password/changed", requires(Role.VIEWER)(PasswordChangedPage.as_view()), name="password-changed"),
    re_path("^api/v1/me/?$", MeView.as_view(), name="me"),
    path("api/v1/", include(router.urls)),
]
