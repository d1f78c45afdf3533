"""The admin of jobs: job types, and jobs with their graph and stages. Changes go through jobs.commands.control, audited."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from access.administering import ServiceAdmin, ask_reason
from access.identifying import Identity
from jobs.commands import admission, control
from jobs.drawing import job_graph
from jobs.models import Job, JobType
from jobs.reading import jobs
from jobs.reading import stages as stage_reading
from switchyard.scheduling.failing import Category
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState

#: Stages that the page of one job lists; the pages under /ui/ have them all.
LISTED_STAGES = 200


class TypeForm(forms.ModelForm):  # type: ignore[type-arg]
    """What may be changed of a job type."""

    def clean_failure_categories(self) -> dict[str, str]:
        """Accept an object that names what is at fault."""
        given = self.cleaned_data["failure_categories"] or {}
        if not isinstance(given, dict) or not all(fault in list(Category) for fault in given.values()):
            raise forms.ValidationError(f"An object whose values are each one of: {', '.join(Category)}.")
        return given


@admin.register(JobType)
class JobTypeAdmin(ServiceAdmin):
    """Kinds of jobs: pause, resume, limit, say what they are and what is at fault when they fail."""

    form = TypeForm
    editable = ("max_running", "title", "description", "icon", "failure_categories")
    fields = ("name", "version", *editable, "paused", "pause_reason")
    list_display = ("__str__", "title", "paused", "pause_reason", "max_running")
    list_filter = ("paused",)
    search_fields = ("name",)
    ordering = ("name", "version")
    actions = ("pause", "resume")

    @admin.action(description="Pause: start nothing more of this type")
    def pause(self, request: HttpRequest, chosen: QuerySet[JobType]) -> HttpResponse | None:
        reason = ask_reason(self, request, chosen, action="pause", title="Pause job types")
        if not isinstance(reason, str):
            return reason
        self.perform(
            request,
            chosen,
            "job_type.pause",
            lambda by, row: control.pause_job_type(by, row.name, row.version, reason),
        )
        return None

    @admin.action(description="Resume")
    def resume(self, request: HttpRequest, chosen: QuerySet[JobType]) -> None:
        self.perform(request, chosen, "job_type.resume", lambda by, row: control.resume_job_type(by, row.name, row.version))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        chosen = {name: form.cleaned_data[name] for name in form.changed_data}
        self.perform(
            request, [obj], "job_type.set", lambda by, row: control.set_job_type(by, row.name, row.version, **chosen)
        )


class JobList(ChangeList):
    """The rows of a page with their counters, read for all at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        ids = [job.pk for job in self.result_list]
        shown = {row["id"]: row for row in jobs.completed(list(jobs.jobs().filter(id__in=ids)))}
        for job in self.result_list:
            job.shown = shown[job.pk]


@admin.register(Job)
class JobAdmin(ServiceAdmin):
    """What users submitted: read-only, with actions."""

    list_display = ("number", "name", "job_type", "state", "progress", "failed_tasks", "owner", "created_at", "ended_at")
    list_display_links = ("number", "name")
    list_filter = ("state", "pool", ("job_type", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("job_type", "owner")
    list_per_page = 50
    search_fields = ("name",)
    search_help_text = "Part of a name, a number, or an id"
    ordering = ("-number",)
    actions = ("cancel", "suspend", "resume", "retry")
    readonly_fields = ("graph", "stages", "page")
    fieldsets = (
        (None, {"fields": ("number", "name", "state", "held_reason", "error", "graph", "stages", "page")}),
        ("What was asked for", {"fields": ("id", "job_type", "owner", "priority", "pool", "max_failures", "spec", "config")}),
        ("How it went", {"fields": ("failures", "planning_ms", "retried_from", "created_at", "started_at", "ended_at")}),
    )

    class Media:
        css = {"all": ["dag.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Leave out the description, which a list does not show and which may be megabytes."""
        found: QuerySet[Job] = super().get_queryset(request)
        return found.defer("spec", "config") if request.resolver_match and not request.resolver_match.kwargs else found

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(Q(name__icontains=term) | jobs.named(term)) if term else queryset), False

    @admin.display
    def progress(self, job: Any) -> str:
        return f"{job.shown['progress']:.0%}"

    @admin.display(description="failed tasks")
    def failed_tasks(self, job: Any) -> int:
        failed: int = job.shown["tasks"]["FAILED"]
        return failed

    @admin.display
    def graph(self, job: Job) -> SafeString:
        # Made by jobs.drawing.svg, which escapes whatever users wrote.
        return format_html('<div class="dag-frame">{}</div>', mark_safe(job_graph.picture(_stages(job))))

    @admin.display
    def stages(self, job: Job) -> SafeString:
        found = _stages(job)
        context = {"stages": found[:LISTED_STAGES], "more": max(0, len(found) - LISTED_STAGES)}
        return render_to_string("admin/jobs/stages.html", context)

    @admin.display(description="tasks and logs")
    def page(self, job: Job) -> SafeString:
        return format_html(
            '<a href="{}">Job {} with its tasks and logs</a>', reverse("ui-job", args=[job.number]), job.number
        )

    @admin.action(description="Cancel: stop what runs, start nothing more")
    def cancel(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        self.perform(request, chosen, "job.cancel", _cancel)

    @admin.action(description="Suspend: stop what runs, start nothing more until resumed")
    def suspend(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        self.perform(request, chosen, "job.suspend", lambda by, job: _changed(job, control.suspend(by, job.id)))

    @admin.action(description="Resume: let a suspended job go on")
    def resume(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        self.perform(request, chosen, "job.resume", lambda by, job: _changed(job, control.resume(by, job.id)))

    @admin.action(description="Retry: run again what did not finish, as a new job")
    def retry(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        made: list[UUID] = []
        key = request.headers.get("Idempotency-Key")
        self.perform(
            request,
            chosen,
            "job.retry",
            lambda by, job: made.append(admission.retry(by, job.id, admission.id_alone, key=key).shown),
        )
        if made:
            numbers = Job.objects.filter(id__in=made).order_by("number").values_list("number", flat=True)
            self.message_user(request, f"New jobs: {', '.join(map(str, numbers))}.", messages.SUCCESS)


def _cancel(by: Identity, job: Job) -> None:
    """Cancel a job; raises services.NothingToCancel where a program would only be told how the job stands."""
    after = JobState(control.cancel(by, job.id).state)
    if after in JOB_ENDS or job.state == JobState.CANCELING:
        raise control.NothingToCancel(f"it was {after.name} already, and is left as it is.")


def _changed(before: Job, after: Job) -> None:
    """Raise NothingToCancel where a program would only be told how the job stands."""
    if before.state == after.state:
        raise control.NothingToCancel(f"it is {JobState(after.state).name}, and is left as it is.")


def _stages(job: Any) -> list[dict[str, Any]]:
    """Read the stages of a job once for a page."""
    if not hasattr(job, "shown_stages"):
        job.shown_stages = stage_reading.stages(job.pk)
    found: list[dict[str, Any]] = job.shown_stages
    return found
