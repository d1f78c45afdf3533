"""The login page."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse

from access import passwords
from access.passwords import LockedOut


class LoginForm(AuthenticationForm):
    """A name and a password, looked at by the rules that hold for all passwords."""

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        assert self.request is not None, "the view passes it on"
        if name and password:
            self.user_cache = passwords.check(self.request, name, password)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
        return self.cleaned_data


class LoginPage(LoginView):
    """Logs in, or says for how long nobody can."""

    template_name = "access/login.html"
    authentication_form = LoginForm

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except LockedOut as error:
            context = {"locked": str(error), "next": self.get_redirect_url()}
            headers = {"Retry-After": str(error.seconds)}
            return self.response_class(request, [self.template_name], context, status=429, headers=headers)
