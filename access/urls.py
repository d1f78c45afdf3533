"""Routes of logging in and out."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from access.rules import PUBLIC, requires

urlpatterns = [
    path("ui/login", requires(PUBLIC)(LoginView.as_view(template_name="access/login.html")), name="login"),
    path("ui/logout", requires(PUBLIC)(LogoutView.as_view()), name="logout"),
]
