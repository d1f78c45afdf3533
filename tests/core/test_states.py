"""States that running tasks save: stored for their own sake and for checkpoints, and before an end that is no success."""

from typing import Any

import pytest

from switchyard.agent.core.records import LAST
from switchyard.agent.core.states import EVERY, Pack
from switchyard.messaging.messages import Command, Launch
from switchyard.simulation.memory.worker import MemoryWorker
from tests.core.memory_node import MemoryNode, Question, recover

STAGE = {"name": "s", "job": "j", "parallelism": 2, "inputs": [], "spec": {"python": "a:b"}}
BOTH = [[0, 2]]


@pytest.fixture
def node() -> MemoryNode:
    """Give a node on which both tasks of a stage run."""
    node = MemoryNode({"cpus": 2000}, 1000.0)
    start(node)
    return node


def start(node: MemoryNode, attempt: int = 0) -> None:
    launched = Launch(attempt + 1, 1, attempt, BOTH, {"cpus": 1000}, [])
    node.command(Command("session", attempt + 1, 0, launches=[launched], stages={1: STAGE}))
    node.turn()
    for worker in node.workers:
        worker.read()
        worker.begin(node.now)
    wait(node)


def wait(node: MemoryNode, seconds: float = 0.1) -> None:
    node.now += seconds
    node.turn()


def worker_of(node: MemoryNode, index: int) -> MemoryWorker:
    return next(worker for worker in node.workers if worker.current and worker.current.index == index)


def packs(node: MemoryNode) -> list[tuple[int, list[int], Question]]:
    found = [each for each in node.fetcher.questions if each.kind == "store_states"]
    told: list[tuple[Pack, Question]] = [(each.asked[0], each) for each in found]
    return [(pack.checkpoint, [state.task[2] for state in pack.states], each) for pack, each in told]


def ends(node: MemoryNode) -> list[Any]:
    node.machine.reports.acknowledged(99)
    wait(node, 1)
    return [end for report, again in node.sent if not again for end in report["others"]]


def settle(node: MemoryNode) -> list[tuple[int, list[int], Question]]:
    """Answer that all states are stored that have been sent and are sent then; return them."""
    settled = []
    while found := packs(node):
        for each in found:
            node.answer(each[2], True)
        settled += found
    return settled


def ask(node: MemoryNode, checkpoint: int, number: int = 50) -> None:
    node.command(Command("session", number, 0, checkpoints=[[1, 0, BOTH, checkpoint]]))
    wait(node)


def test_states_of_a_stage_are_stored_together_once_a_second(node: MemoryNode) -> None:
    for index in range(2):
        worker_of(node, index).save(node.now)
    wait(node)
    [(checkpoint, tasks, question)] = packs(node)
    assert (checkpoint, sorted(tasks)) == (0, [0, 1])
    node.answer(question, True)
    worker_of(node, 0).save(node.now)
    wait(node)
    assert packs(node) == []
    worker_of(node, 0).save(node.now)
    wait(node, EVERY)
    [(_, tasks, _)] = packs(node)
    assert tasks == [0]


def test_a_checkpoint_takes_what_was_saved_last_or_nothing(node: MemoryNode) -> None:
    worker_of(node, 0).save(node.now)
    ask(node, 7)
    found = {checkpoint: question.asked[0] for checkpoint, _, question in settle(node)}
    assert set(found) == {0, 7}, "what a checkpoint keeps goes if it fails: the state is stored for its own sake too"
    assert {state.task[2]: bool(state.path) for state in found[7].states} == {0: True, 1: False}
    ask(node, 7, 51)
    assert not packs(node), "who has answered is not asked again"


def test_who_answers_is_asked_and_waited_for(node: MemoryNode) -> None:
    worker = worker_of(node, 0)
    worker.answering = worker.status().claimed
    ask(node, 7)
    assert [(checkpoint, tasks) for checkpoint, tasks, _ in packs(node)] == [(7, [1])]
    assert worker.asked == 7
    node.answer(packs(node)[0][2], True)
    worker.save(node.now, 7)
    wait(node, EVERY)
    assert [checkpoint for checkpoint, tasks, _ in settle(node) if tasks == [0]] == [7, 0]


def test_one_answer_does_for_all_checkpoints_that_have_asked(node: MemoryNode) -> None:
    worker = worker_of(node, 0)
    worker.answering = worker.status().claimed
    ask(node, 7)
    ask(node, 8, 51)
    settle(node)
    worker.save(node.now, 8)
    wait(node, EVERY)
    assert [checkpoint for checkpoint, tasks, _ in settle(node) if tasks == [0]] == [7, 8, 0]


def test_a_checkpoint_that_asks_after_a_later_one_is_answered_too(node: MemoryNode) -> None:
    worker = worker_of(node, 0)
    worker.answering = worker.status().claimed
    for checkpoint, number in ((8, 50), (7, 51)):
        ask(node, checkpoint, number)
        assert worker.asked == checkpoint
        settle(node)
        worker.save(node.now, checkpoint)
        wait(node, EVERY)
        assert checkpoint in [each for each, tasks, _ in settle(node) if tasks == [0]]
    ask(node, 8, 52)
    assert worker.asked == 7, "who has answered is not asked again"


def test_an_attempt_that_has_saved_nothing_answers_with_what_it_goes_on_from(node: MemoryNode) -> None:
    node.fetcher.restored = {0: ("/states/0-1", True, 3)}
    for index in range(2):
        worker_of(node, index).end_task(node.now, **{"outcome": "FAILED", "class": "user_error", "error": "no"})
    wait(node)
    start(node, attempt=1)
    node.command(Command("session", 60, 0, checkpoints=[[1, 1, BOTH, 9]]))
    wait(node)
    [(checkpoint, _, question)] = packs(node)
    states = {state.task[2]: state for state in question.asked[0].states}
    assert (checkpoint, states[0].path, states[0].saved.length, states[1].path) == (9, "/states/0-1", 3, "")


def test_an_end_that_is_no_success_waits_for_the_last_state(node: MemoryNode) -> None:
    failing, finishing = worker_of(node, 0), worker_of(node, 1)
    for worker in (failing, finishing):
        worker.save(node.now)
    failing.end_task(node.now, **{"outcome": "FAILED", "class": "user_error", "error": "no"})
    finishing.end_task(node.now)
    wait(node)
    [(_, tasks, question)] = packs(node)
    assert 0 in tasks
    assert ends(node) == []
    assert not node.machine.idle
    node.answer(question, True)
    assert [(end[1], end[2], end[5]) for end in ends(node)] == [(0, 0, "FAILED")]


def test_a_successor_tells_of_an_end_that_waited_for_a_state(node: MemoryNode) -> None:
    failing, finishing = worker_of(node, 0), worker_of(node, 1)
    failing.save(node.now)
    failing.end_task(node.now, **{"outcome": "FAILED", "class": "user_error", "error": "no"})
    wait(node)
    finishing.end_task(node.now)
    assert ends(node) == []
    told = recover(node.crash(), reported=node.sent[-1][0]["number"])
    assert [end.error for end in told.rest.ends.values()] == ["no"]
    successor = MemoryNode({"cpus": 2000}, node.now, recovered=told)
    assert [end[2] for end in ends(successor)] == [0]


def test_states_of_a_stage_arrive_in_the_order_of_saving(node: MemoryNode) -> None:
    worker = worker_of(node, 0)
    worker.save(node.now)
    wait(node, EVERY)
    [(checkpoint, _, own)] = packs(node)
    worker.save(node.now)
    wait(node)
    ask(node, 7)
    assert (checkpoint, len(packs(node))) == (0, 1), "what was saved before is still on its way"
    worker.save(node.now)
    wait(node, EVERY)
    node.answer(own, True)
    [(checkpoint, _, question)] = packs(node)
    assert (checkpoint, question.asked[0].states[0].saved.number) == (7, 2)
    node.answer(question, True)
    [(checkpoint, _, question)] = packs(node)
    assert (checkpoint, question.asked[0].states[0].saved.number) == (0, 3)


def test_an_end_waits_no_longer_for_a_state_that_is_refused(node: MemoryNode) -> None:
    worker = worker_of(node, 0)
    worker.save(node.now)
    worker.die(-9)
    wait(node)
    [(_, _, question)] = packs(node)
    node.answer(question, None)
    assert [end[2] for end in ends(node)] == [0]


def test_who_is_suspended_saves_a_last_state_and_ends_by_itself(node: MemoryNode) -> None:
    answering, other = worker_of(node, 0), worker_of(node, 1)
    answering.answering = answering.status().claimed
    node.command(Command("session", 50, 0, cancels=[[1, 0, BOTH, True]]))
    wait(node)
    assert (answering.asked, answering.signals, other.signals) == (LAST, [], [-15])
    answering.save(node.now, LAST)
    answering.end_task(node.now, **{"outcome": "FAILED", "class": "killed", "error": "ended on request"})
    wait(node)
    settle(node)
    assert [(end[2], end[5]) for end in ends(node)] == [(0, "CANCELED")]


def test_who_does_not_come_to_save_is_ended_after_a_while(node: MemoryNode) -> None:
    answering = worker_of(node, 0)
    answering.answering = answering.status().claimed
    node.command(Command("session", 50, 0, cancels=[[1, 0, BOTH, True]]))
    wait(node, 9)
    assert answering.signals == []
    wait(node, 2)
    assert answering.signals == [-15]


def test_a_cancel_asks_for_no_state(node: MemoryNode) -> None:
    answering = worker_of(node, 0)
    answering.answering = answering.status().claimed
    node.command(Command("session", 50, 0, cancels=[[1, 0, BOTH]]))
    wait(node)
    assert (answering.asked, answering.signals) == (0, [-15])
