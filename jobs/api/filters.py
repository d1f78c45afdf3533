"""Filters of the lists of jobs, tasks and events."""

import re
from datetime import UTC, datetime
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django_filters.fields import IsoDateTimeField
from rest_framework import serializers

from jobs.models import Job
from jobs.reading.jobs import named
from nodes.reading import node_named
from switchyard.scheduling.lifecycle.states import JobState, TaskState

JOB_STATES = [(state.name, state.name) for state in JobState]
_UNENCODED_ZONE = re.compile(r"(T.*) (?=\d\d:?\d\d$)")
TASK_STATES = [(state.name, state.name) for state in TaskState]


class TimeField(IsoDateTimeField):  # type: ignore[misc]  # untyped
    """Reads a time in any zone as one in UTC, since PostgreSQL knows fewer zones than there are to write."""

    def clean(self, value: Any) -> datetime | None:
        # A plus in a query is a space: that of a zone is often not encoded.
        if isinstance(value, str):
            value = _UNENCODED_ZONE.sub(r"\1+", value)
        found: datetime | None = super().clean(value)
        try:
            return found and found.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


class TimeFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]  # untyped
    """Compares with a time."""

    field_class = TimeField


class JobFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """Narrow a list of jobs; several states mean any of them."""

    search = django_filters.CharFilter(method="by_search", max_length=200)
    state = django_filters.MultipleChoiceFilter(choices=JOB_STATES, method="by_state")
    owner = django_filters.CharFilter("owner_name", max_length=200)
    type = django_filters.CharFilter("job_type__name", max_length=100)
    name = django_filters.CharFilter("name", max_length=200)
    pool = django_filters.CharFilter("pool", max_length=100)
    created_after = TimeFilter("created_at", "gte")
    created_before = TimeFilter("created_at", "lt")

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()

    def by_search(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(Q(name__icontains=value) | named(value))

    def by_state(self, queryset: QuerySet[Any], name: str, value: list[str]) -> QuerySet[Any]:
        return queryset.filter(state__in=[int(JobState[each]) for each in value]) if value else queryset


class EventFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """Narrow a list of events."""

    job = django_filters.CharFilter(method="by_job", max_length=40)
    node = django_filters.CharFilter(method="by_node", max_length=100)
    kind = django_filters.CharFilter("kind", max_length=40)

    def by_job(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(job_id=job_named(value))

    def by_node(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(node_id=_named(name, node_named(value).values_list("id")))


def job_named(value: str) -> Any:
    """Return the id of the job of this id or number, as a filter asks for it."""
    return _named("job", Job.objects.filter(named(value)).values_list("id"))


def _named(kind: str, found: QuerySet[Any, Any]) -> Any:
    """Return the id of what a parameter names: one thing or none, unlike the texts that lists are searched for."""
    row = found.first()
    if row is None:
        raise serializers.ValidationError({kind: [f"there is no such {kind}"]})
    return row[0]
