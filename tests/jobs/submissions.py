"""Jobs that tests store past every entrance: nobody's, or Ann's."""

from uuid import UUID

from django.db import transaction

from database import rows
from jobs.commands import admission
from jobs.commands.submit import plan, store
from switchyard.scheduling.spec import JobSpec
from tests.people import ANN


def submit(spec: JobSpec) -> UUID:
    """Store a job that is nobody's, and return its id."""
    with transaction.atomic():
        planned = plan(spec)
        with rows.together():
            return store(planned)


def retry(old: UUID) -> UUID:
    """Retry a job as Ann does, and return the new job's id."""
    return admission.retry(ANN, old, admission.id_alone).shown
