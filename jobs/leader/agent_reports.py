"""Apply reports of agents to the rows by the rules of switchyard.scheduling.lifecycle.apply_reports."""

from functools import partial

from jobs.store.records import RECORDS
from switchyard.messaging.messages import Report
from switchyard.scheduling.lifecycle import apply_reports

Applied = apply_reports.Applied[Report]
apply = partial(apply_reports.apply, RECORDS)
apply_contents = partial(apply_reports.apply_contents, RECORDS)
