"""Paging of lists: by cursor, so that a page costs the same wherever it stands, and a page's size has a limit."""

from typing import Any

from django.db import DataError, transaction
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class ByCursor(CursorPagination):
    """Pages in the order that the view names as `ordering`."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    cursor_query_param = "cursor"

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        ordering: tuple[str, ...] = view.ordering
        return ordering

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return a page; a cursor that we did not make may hold anything, and leads nowhere."""
        try:
            with transaction.atomic():
                page: list[Any] = super().paginate_queryset(queryset, request, view) or []
        except (ValueError, DataError) as error:
            if not request.query_params.get(self.cursor_query_param):
                raise
            raise NotFound(self.invalid_cursor_message) from error
        return page
