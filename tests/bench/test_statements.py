"""Statements of the web are counted as PostgreSQL's log tells of them."""

from pathlib import Path

from bench.statements import told

LOG = """2026-11-22 10:46:20.268 UTC [7] LOG:  duration: 0.154 ms  parse _pg3_0: SELECT a
    FROM b
2026-11-22 10:46:20.269 UTC [7] LOG:  duration: 1.251 ms  bind _pg3_0: SELECT a
2026-11-22 10:46:20.270 UTC [7] LOG:  duration: 0.250 ms  execute _pg3_0: SELECT a
2026-11-22 10:46:20.271 UTC [8] LOG:  duration: 0.050 ms  statement: SELECT 1
2026-11-22 10:46:20.272 UTC [9] LOG:  checkpoint starting: time
"""


def test_what_was_logged_meanwhile_is_counted_and_the_longest_found(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    log.write_text(LOG)
    with told(log) as found, log.open("a") as more:
        more.write(LOG)
    assert (found.count, found.slowest_ms) == (2, 1.251)
