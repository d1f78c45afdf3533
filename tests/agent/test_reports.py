"""Reports that nobody acknowledges: the oldest alone is sent again, ever more rarely."""

from typing import Any

from switchyard.agent.core.reports import FULL, LONGEST, RESEND, Reports
from switchyard.messaging.encoding import encode
from switchyard.scheduling.lifecycle.ends import End


def test_only_the_oldest_report_is_sent_again_and_ever_more_rarely() -> None:
    sent: list[tuple[int, bool]] = []

    def send(report: dict[str, Any], again: bool) -> None:
        sent.append((report["number"], again))

    reports = Reports(1, "session", send)
    for index in range(3):
        reports.finished(1, 0, index, 1, 2, "x" * FULL)
    assert sent == [(1, False), (2, False), (3, False)]
    now = reports._sent_at
    for second in range(600):
        reports.flush(now + second, more=False)
    assert {number for number, _ in sent[3:]} == {1}
    assert 600 / LONGEST <= len(sent[3:]) <= 600 / LONGEST + 6
    reports.acknowledged(1)
    reports.flush(now + 600, more=False)
    assert sent[-1] == (2, True)
    reports.acknowledged(3)
    reports.flush(now + 600 + RESEND, more=False)
    assert reports.delivered


def test_what_tasks_have_added_up_counts_for_the_length_of_a_report() -> None:
    sent: list[dict[str, Any]] = []
    reports = Reports(1, "session", lambda report, again: sent.append(report))
    histogram = {"kind": "histogram", "value": {str(number): 1 for number in range(6_000)}}
    for index in range(100):
        reports.other(End(1, 0, index, accumulators={"h": histogram}))
    reports.flush(0, more=False)
    assert max(len(encode(report)) for report in sent) < FULL + 200_000
    assert len(sent) > 8
