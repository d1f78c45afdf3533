"""A simulated agent keeps the rules of the protocol that real ones keep."""

from bench.simulated import CONFIRM, PATIENCE, RESEND, SimulatedAgent, Task
from switchyard.messaging.messages import Command, Launch, Report

SESSION = "session"
STAGE = 7


def agent(cpus: int = 2000) -> SimulatedAgent:
    return SimulatedAgent(1, SESSION, {"cpus": cpus})


def command(number: int, *ranges: list[int], session: str = SESSION, acknowledged: int = 0, entry: int = 1) -> Command:
    launches = [Launch(entry, STAGE, 0, [*ranges], {"cpus": 1000}, [])] if ranges else []
    return Command(session, number, acknowledged, launches=launches)


def begun(simulated: SimulatedAgent) -> list[Task]:
    return list(simulated.start(0))


def sent(simulated: SimulatedAgent, now: float) -> Report:
    report = simulated.report(now)
    assert report is not None
    return report


def test_no_more_begins_than_there_is_room_for() -> None:
    simulated = agent(cpus=2000)
    simulated.obey(command(1, [0, 5]), 0.0)
    first = begun(simulated)
    assert [index for _, _, index, _ in first] == [0, 1]
    simulated.end(first[0], 10)
    assert [index for _, _, index, _ in begun(simulated)] == [2]


def test_commands_of_other_sessions_and_old_ones_change_nothing() -> None:
    simulated = agent()
    simulated.obey(command(5), 0.0)
    simulated.obey(command(6, [0, 1], session="another"), 0.0)
    simulated.obey(command(4, [0, 1]), 0.0)
    assert begun(simulated) == []


def test_an_entry_that_is_sent_again_is_begun_once() -> None:
    simulated = agent(cpus=8000)
    simulated.obey(command(1, [0, 2]), 0.0)
    assert len(begun(simulated)) == 2
    simulated.obey(command(2, [0, 2]), 0.0)
    assert begun(simulated) == []


def test_one_report_is_under_way_until_it_is_acknowledged_or_late() -> None:
    simulated = agent()
    simulated.obey(command(1, [0, 2]), 0.0)
    one, other = begun(simulated)
    simulated.end(one, 10)
    first = sent(simulated, 1.0)
    assert (first.number, first.finished[0].results) == (1, ["0"])
    simulated.end(other, 20)
    assert simulated.report(1.0 + RESEND / 2) is None
    assert sent(simulated, 1.0 + RESEND).number == 1
    simulated.obey(command(2, acknowledged=1), 2.1)
    assert sent(simulated, 2.2).finished[0].results == ["1"]


def test_what_has_begun_is_told_only_while_it_runs() -> None:
    simulated = agent()
    simulated.obey(command(1, [0, 2]), 0.0)
    ended, running = begun(simulated)
    simulated.begun += [ended, running]
    simulated.end(ended, 10)
    assert sent(simulated, 1.0).starts == [(STAGE, 0, [1], [0])]


def test_what_waits_too_long_is_given_back_and_does_not_begin() -> None:
    simulated = agent(cpus=1000)
    simulated.obey(command(1, [0, 4]), 0.0)
    (running,) = begun(simulated)
    simulated.give_back(PATIENCE + 0.1)
    simulated.end(running, 10)
    assert begun(simulated) == []
    assert sent(simulated, 1.2).returns == [(STAGE, 0, [[1, 4]])]


def test_a_launch_is_confirmed_even_without_news() -> None:
    simulated = agent(cpus=0)
    simulated.obey(command(3, [0, 1]), 1.0)
    assert simulated.report(1.0 + CONFIRM / 2) is None
    assert sent(simulated, 1.1 + CONFIRM).seen == [3]


def test_a_mere_acknowledgement_is_not_confirmed() -> None:
    simulated = agent()
    simulated.obey(command(3), 1.0)
    assert simulated.report(1.1 + CONFIRM) is None
