"""Reports that nobody acknowledges: the oldest alone is sent again, ever more rarely."""

from typing import Any

from agent.reports import FULL, LONGEST, RESEND, Reports


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
