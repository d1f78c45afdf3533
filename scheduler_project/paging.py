"""Paging of lists: by cursor, so that a page costs the same wherever it stands, and a page's size has a limit."""

from typing import Any

from django.db import DataError, transaction
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
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
        """Return a page; a cursor that we did not make may hold anything, and is refused."""
        try:
            with transaction.atomic():
                page: list[Any] = super().paginate_queryset(queryset, request, view) or []
        except (ValueError, DataError) as error:
            if not request.query_params.get(self.cursor_query_param):
                raise
            raise _invalid_cursor() from error
        except NotFound as error:
            raise _invalid_cursor() from error
        return page

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has; at most as many as there may be, however many are asked for."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not (asked.isascii() and asked.isdigit() and int(asked[:20])):
            raise ValidationError({self.page_size_query_param: ["must be a whole number, 1 or more"]})
        return min(int(asked[:20]), self.max_page_size)


def _invalid_cursor() -> ValidationError:
    return ValidationError({ByCursor.cursor_query_param: ["is not one that a page has named"]})
