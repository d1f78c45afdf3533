"""The page of programs: upload, list, run."""

from django.http import HttpRequest, HttpResponse

from jobs.reading import programs as reading
from status.answering import answer, page

SHOWN = 100


@page
def programs(request: HttpRequest) -> HttpResponse:
    """The programs, newest first, with their entry points."""
    found = [reading.shown(each) for each in reading.programs()[:SHOWN]]
    return answer(request, "programs", {"programs": found})
