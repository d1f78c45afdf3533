"""Base classes of all admins: rows that services own, and actions that are commands."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse

from access.identifying import Identity
from access.site import admin_identity, is_admin
from switchyard.scheduling.errors import SwitchyardError

LONGEST_REASON = 250


class ReasonForm(forms.Form):
    """Why something is done."""

    reason = forms.CharField(
        max_length=LONGEST_REASON, required=False, help_text="Shown wherever people ask why nothing starts."
    )


class ServiceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that services own: nobody adds or deletes them here, and only `editable` fields can be changed."""

    editable: Sequence[str] = ()
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        own = [field.name for field in self.model._meta.fields if field.name not in self.editable]
        return [*own, *(str(name) for name in self.readonly_fields if name not in own)]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.editable) and is_admin(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def perform(
        self, request: HttpRequest, chosen: Iterable[Model], action: str, change: Callable[[Identity, Any], object]
    ) -> None:
        """Change each of the chosen rows by a command; say what went wrong with which."""
        identity = admin_identity(request)
        assert identity is not None, "the site lets nobody else pass"
        done = 0
        for row in chosen:
            try:
                change(identity, row)
                done += 1
            except SwitchyardError as error:
                self.message_user(request, f"{row}: {error}", messages.ERROR)
        if done:
            self.message_user(request, f"Done: {action} of {done:,}.", messages.SUCCESS)


def ask_reason(
    model_admin: ServiceAdmin, request: HttpRequest, chosen: Any, *, action: str, title: str
) -> TemplateResponse | str:
    """Return the page that asks for a reason, or the reason that was given on it."""
    form = ReasonForm(request.POST if "apply" in request.POST else None)
    if form.is_valid():
        reason: str = form.cleaned_data["reason"]
        return reason
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "form": form,
        "chosen": chosen,
        "action": action,
        "checkbox": ACTION_CHECKBOX_NAME,
        "opts": model_admin.model._meta,
    }
    return TemplateResponse(request, "admin/reason.html", context)
