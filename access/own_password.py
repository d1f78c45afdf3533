"""The page on which logged-in people change their password."""

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.mixins import UserPassesTestMixin
from django.contrib.auth.views import PasswordChangeDoneView, PasswordChangeView, redirect_to_login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse_lazy
from django.views.generic.base import ContextMixin

from access import passwords, services
from access.identifying import identify
from access.passwords import LockedOut
from access.roles import Role


class OwnPasswordForm(PasswordChangeForm):
    """The old password, looked at by the rules that hold for all passwords, and the new one twice."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        if passwords.check(self.request, self.user.get_username(), old) is None:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old


class _OwnPage(UserPassesTestMixin, ContextMixin):
    """A page for somebody who logged in: no token and no open loopback stands for a password."""

    request: HttpRequest

    def test_func(self) -> bool:
        identity = identify(self.request)
        return identity is not None and identity.via == "session"

    def handle_no_permission(self) -> Any:
        return redirect_to_login(self.request.get_full_path())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        identity = identify(self.request)
        assert identity is not None, "nobody else passes"
        return super().get_context_data(**kwargs) | {"who": identity, "admin": identity.role is Role.ADMIN}


class OwnPasswordPage(_OwnPage, PasswordChangeView):
    """Changes the password, or says for how long nobody can."""

    template_name = "access/password.html"
    form_class = OwnPasswordForm
    success_url = reverse_lazy("password-changed")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except LockedOut as error:
            context = self.get_context_data(form=None, locked=str(error))
            return self.render_to_response(context, status=429, headers={"Retry-After": str(error.seconds)})

    def form_valid(self, form: Any) -> HttpResponse:
        identity = identify(self.request)
        assert identity is not None, "nobody else passes"
        services.change_own_password(identity, form.save)
        update_session_auth_hash(self.request, form.user)
        return HttpResponseRedirect(self.get_success_url())


class PasswordChangedPage(_OwnPage, PasswordChangeDoneView):
    """Says that it is done."""

    template_name = "access/password_changed.html"
