"""The admin of the cluster: the scheduler's switches and the nodes. Changes go through nodes.services, audited."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from simple_history.admin import SimpleHistoryAdmin

from access.administering import ServiceAdmin, ask_reason
from nodes import reading, services
from nodes.models import Node, Scheduler
from switchyard.scheduling.allocation.base import ALGORITHMS
from switchyard.scheduling.placement.base import STRATEGIES
from switchyard.scheduling.resources import describe


class AllocationOfField(forms.JSONField):
    """The algorithm of each pool that has one of its own."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value) or {}

    def validate(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise forms.ValidationError('Give pools and algorithms, as in {"gpu": "lifo"}.')
        for pool, algorithm in value.items():
            if not services.is_pool_name(pool) or algorithm not in ALGORITHMS:
                raise forms.ValidationError(f"{pool}: {algorithm} is no pool with an algorithm.")


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """How tasks are placed, and how room is divided among jobs."""

    strategy = forms.ChoiceField(choices=lambda: [(name, name) for name in sorted(STRATEGIES)])
    allocation = forms.ChoiceField(choices=lambda: [(name, name) for name in sorted(ALGORITHMS)])
    allocation_of = AllocationOfField(
        required=False, help_text='Pools with an algorithm of their own: {"gpu": "lifo"}. All others have the one above.'
    )
    log_level = forms.ChoiceField(choices=[(level, level) for level in services.LOG_LEVELS])
    message_handlers = forms.IntegerField(
        min_value=0,
        max_value=services.MOST_HANDLERS,
        help_text="How many are wanted, as told to programs; one, the leader, takes all messages.",
    )


class RememberedAdmin(SimpleHistoryAdmin, ServiceAdmin):  # type: ignore[misc]  # untyped
    """Rows with a history that is read: there is no page of an older version, for that would offer to go back to it."""

    object_history_list_template = "admin/history.html"

    def get_urls(self) -> list[Any]:
        return ServiceAdmin.get_urls(self)


@admin.register(Scheduler)
class SchedulerAdmin(RememberedAdmin):
    """The one row of switches of the whole cluster."""

    form = PolicyForm
    editable = ("strategy", "allocation", "allocation_of", "log_level", "message_handlers")
    fields = ("paused", "pause_reason", *editable, "pause_epoch", "updated_at")
    list_display = ("name", "paused", "pause_reason", "strategy", "allocation", "updated_at")
    actions = ("pause", "resume")

    @admin.display(description="scheduler")
    def name(self, row: Scheduler) -> str:
        return "The scheduler"

    @admin.action(description="Pause: start nothing more anywhere")
    def pause(self, request: HttpRequest, chosen: QuerySet[Scheduler]) -> HttpResponse | None:
        reason = ask_reason(self, request, chosen, action="pause", title="Pause the scheduler")
        if not isinstance(reason, str):
            return reason
        self.perform(
            request,
            chosen,
            "scheduler.change",
            lambda by, _: services.change_scheduler(by, paused=True, pause_reason=reason),
        )
        return None

    @admin.action(description="Resume: start tasks again")
    def resume(self, request: HttpRequest, chosen: QuerySet[Scheduler]) -> None:
        self.perform(request, chosen, "scheduler.change", lambda by, _: services.change_scheduler(by, paused=False))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        chosen = {name: form.cleaned_data[name] for name in form.changed_data}
        self.perform(request, [obj], "scheduler.change", lambda by, _: services.change_scheduler(by, **chosen))


class NodeStateFilter(admin.SimpleListFilter):
    """Nodes in one of the states that are derived from their facts."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in reading.STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        if self.value() not in reading.STATES:
            return queryset
        found: QuerySet[Any, Any] = reading.nodes()
        return queryset.filter(id__in=found.filter(state=self.value()).values("id"))


class NodeList(ChangeList):
    """The rows of a page with what is derived from them, read for all at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        ids = [node.pk for node in self.result_list]
        shown = {row["id"]: row for row in reading.completed(list(reading.nodes().filter(id__in=ids)))}
        for node in self.result_list:
            node.shown = shown[node.pk]


@admin.register(Node)
class NodeAdmin(RememberedAdmin):
    """The machines that agents registered."""

    list_display = ("name", "state", "pool", "resources", "conditions", "pause_reason", "heard_at")
    list_filter = (NodeStateFilter, "pool")
    search_fields = ("name", "hostname")
    ordering = ("name",)
    actions = ("pause", "drain", "resume", "deactivate", "activate", "remove")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NodeList

    @admin.display
    def state(self, node: Any) -> str:
        return str(node.shown["state"])

    @admin.display(description="resources held")
    def resources(self, node: Any) -> str:
        held, total = ({name: of[key] for name, of in node.shown["resources"].items()} for key in ("held", "total"))
        return f"{describe(held)} of {describe(total)}"

    @admin.display
    def conditions(self, node: Any) -> str:
        return ", ".join(condition["title"] for condition in node.shown["conditions"])

    @admin.action(description="Pause: start nothing more, let run what runs")
    def pause(self, request: HttpRequest, chosen: QuerySet[Node]) -> HttpResponse | None:
        reason = ask_reason(self, request, chosen, action="pause", title="Pause nodes")
        if not isinstance(reason, str):
            return reason
        self.perform(request, chosen, "node.pause", lambda by, node: services.pause(by, node.id, reason))
        return None

    @admin.action(description="Drain: let run empty")
    def drain(self, request: HttpRequest, chosen: QuerySet[Node]) -> HttpResponse | None:
        reason = ask_reason(self, request, chosen, action="drain", title="Drain nodes")
        if not isinstance(reason, str):
            return reason
        self.perform(request, chosen, "node.drain", lambda by, node: services.drain(by, node.id, reason))
        return None

    @admin.action(description="Resume: take work again")
    def resume(self, request: HttpRequest, chosen: QuerySet[Node]) -> None:
        self.perform(request, chosen, "node.resume", lambda by, node: services.resume(by, node.id))

    @admin.action(description="Deactivate: take out of the cluster")
    def deactivate(self, request: HttpRequest, chosen: QuerySet[Node]) -> HttpResponse | None:
        reason = ask_reason(self, request, chosen, action="deactivate", title="Deactivate nodes")
        if not isinstance(reason, str):
            return reason
        self.perform(request, chosen, "node.deactivate", lambda by, node: services.deactivate(by, node.id, reason))
        return None

    @admin.action(description="Activate: take back into the cluster")
    def activate(self, request: HttpRequest, chosen: QuerySet[Node]) -> None:
        self.perform(request, chosen, "node.activate", lambda by, node: services.activate(by, node.id))

    @admin.action(description="Delete: forget what is gone for ever")
    def remove(self, request: HttpRequest, chosen: QuerySet[Node]) -> HttpResponse | None:
        reason = ask_reason(self, request, chosen, action="remove", title="Delete nodes")
        if not isinstance(reason, str):
            return reason
        self.perform(request, chosen, "node.delete", lambda by, node: services.delete(by, node.id, reason))
        return None
