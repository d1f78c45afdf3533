"""The admin of people: users with a role, tokens, lock-outs, and the audit of what was changed."""

from copy import copy
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from access import services
from access.administering import ServiceAdmin
from access.identifying import Identity
from access.models import AuditEntry, Failures, Token
from access.roles import PEOPLE, Role, role_of
from access.site import admin_identity, is_admin

ROLES = [(role.value, role.value) for role in PEOPLE]

# Django registers both with forms that know flags and permissions instead of roles, and that write no audit.
admin.site.unregister([User, Group])


class NewPersonForm(AdminUserCreationForm):  # type: ignore[type-arg]
    """Somebody who may log in."""

    role = forms.ChoiceField(choices=ROLES)


class PersonForm(UserChangeForm):  # type: ignore[type-arg]
    """Somebody who may log in, but for the password, which has a page of its own."""

    role = forms.ChoiceField(choices=ROLES)
    #: Who has the page open: nobody takes the last key from himself.
    asks: User | None = None

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.initial["role"] = role_of(self.instance)

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or self.cleaned_data
        stays = told.get("is_active") and told.get("role") == Role.ADMIN
        if self.instance == self.asks and not stays:
            raise forms.ValidationError("Another admin has to do this: nobody can take the role or the login from himself.")
        return told


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A new password for somebody."""

    def __init__(self, *args: Any, by: Identity) -> None:
        super().__init__(*args)
        self.by = by

    def save(self, commit: bool = True) -> User:  # noqa: FBT001  Django's signature
        user: User = self.user
        services.change_password(self.by, user, super().save)
        return user


@admin.register(User)
class PersonAdmin(ServiceAdmin, UserAdmin):  # type: ignore[type-arg]
    """Users: made, given a role, and deactivated; never deleted, so that the audit knows them."""

    editable = ("username", "is_active", "password")
    form = PersonForm
    add_form = NewPersonForm
    fieldsets = ((None, {"fields": ("username", "password", "role", "is_active", "last_login", "date_joined")}),)
    add_fieldsets = ((None, {"fields": ("username", "usable_password", "password1", "password2", "role")}),)
    list_display = ("username", "role", "is_active", "last_login")
    list_filter = ("is_active", ("groups", admin.RelatedOnlyFieldListFilter))
    search_fields = ("username",)
    filter_horizontal = ()
    actions = ("let_in",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        found: QuerySet[User] = super().get_queryset(request)
        return found.prefetch_related("groups")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]  # as UserAdmin
        form = super().get_form(request, obj, **kwargs)
        form.asks = request.user  # type: ignore[attr-defined]
        return form

    @admin.display
    def role(self, user: User) -> str:
        return role_of(user) or "–"

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        role = Role(form.cleaned_data["role"])
        if change:
            changed = [str(form.fields[name].label or name) for name in form.changed_data]
            services.change_user(_by(request), obj, role, changed)
        else:
            services.create_user(_by(request), obj, role)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        # Of a copy, since the form is to know who asks, and others may ask at the same time.
        own = copy(self)
        own.change_password_form = partial(NewPasswordForm, by=_by(request))
        return UserAdmin.user_change_password(own, request, id, form_url)

    @admin.action(description="Let in again: forget wrong passwords")
    def let_in(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        self.perform(request, chosen, "user.let_in", services.let_in)


class NewTokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """A token to be made; an agent's has no owner, any other needs one."""

    class Meta:
        model = Token
        fields = ("name", "role", "owner", "expires_at")

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or self.cleaned_data
        if (told.get("role") == Role.AGENT) == bool(told.get("owner")):
            self.add_error("owner", "Agents' tokens have no owner, all others need one.")
        if told.get("expires_at") and told["expires_at"] <= timezone.now():
            self.add_error("expires_at", "This is in the past.")
        return told


@admin.register(Token)
class TokenAdmin(ServiceAdmin):
    """Tokens: made and shown once, revoked; never changed."""

    form = NewTokenForm
    list_display = ("name", "owner", "role", "created_at", "expires_at", "last_used_at")
    list_filter = ("role",)
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username")
    ordering = ("-id",)
    fields = ("name", "role", "owner", "created_at", "expires_at", "last_used_at")
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else NewTokenForm.Meta.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return super().get_readonly_fields(request, obj) if obj else []

    def save_model(self, request: Any, obj: Token, form: Any, change: Any) -> None:
        made, request.made_token = services.create_token(
            _by(request), obj.name, role=Role(obj.role), owner=obj.owner, expires_at=obj.expires_at
        )
        obj.pk = made.pk

    def response_add(self, request: Any, obj: Token, post_url_continue: Any = None) -> HttpResponse:
        """Show the token on the answer itself: a message would keep it in a cookie or a session."""
        context = self.admin_site.each_context(request) | {"title": "Token made", "token": obj, "opts": self.model._meta}
        context["secret"] = request.made_token
        return TemplateResponse(request, "admin/token.html", context)

    @admin.action(description="Revoke: no request with it passes any more")
    def revoke(self, request: HttpRequest, chosen: QuerySet[Token]) -> None:
        self.perform(request, chosen, "token.delete", lambda by, token: services.delete_token(by, token.pk))


@admin.register(Failures)
class FailuresAdmin(ServiceAdmin):
    """Accounts and peers from which wrong passwords came; to let somebody in again, see users."""

    list_display = ("key", "count", "last_at")
    ordering = ("-last_at",)
    search_fields = ("key",)


@admin.register(AuditEntry)
class AuditAdmin(ServiceAdmin):
    """What people changed; read-only for everybody."""

    list_display = ("at", "user_name", "via", "action", "target", "details")
    ordering = ("-id",)
    search_fields = ("=user_name", "=action", "=target")
    search_help_text = "A user's name, an action such as node.pause, or what it was done to, in full"
    list_per_page = 50


def _by(request: HttpRequest) -> Identity:
    identity = admin_identity(request)
    assert identity is not None, "the site lets nobody else pass"
    return identity
