"""Requests are answered in few threads, and no request is lost between them."""

from concurrent.futures import wait
from functools import partial
from threading import Barrier, Event, get_ident

import pytest

from scheduler_project.threads import Threads

PATIENCE = 30


def test_one_client_after_another_is_answered_in_the_same_thread() -> None:
    threads, used = Threads(4), set[int]()
    for _ in range(50):
        threads.run(lambda: used.add(get_ident())).result(PATIENCE)
    assert len(used) == 1


def test_as_many_are_answered_at_once_as_there_are_threads_and_the_rest_wait() -> None:
    threads, together, ended = Threads(3), Barrier(3), list[int]()
    first = [threads.run(lambda: ended.append(together.wait(PATIENCE))) for _ in range(3)]
    wait(first, PATIENCE)
    assert sorted(ended) == [0, 1, 2]
    going_on, rest = Event(), list[int]()
    blocked = [threads.run(partial(_wait, going_on)) for _ in range(3)]
    later = [threads.run(partial(rest.append, number)) for number in range(20)]
    assert not any(each.done() for each in later)
    going_on.set()
    assert not wait([*blocked, *later], PATIENCE).not_done
    assert sorted(rest) == list(range(20))


def test_a_call_that_fails_tells_so_and_leaves_its_thread() -> None:
    threads = Threads(1)

    def fail() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        threads.run(fail).result(PATIENCE)
    threads.run(lambda: None).result(PATIENCE)


def _wait(event: Event) -> None:
    event.wait(PATIENCE)
