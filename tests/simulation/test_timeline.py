"""Virtual time and the parts of the world that lie between processes."""

from random import Random

from switchyard.simulation.broker import Broker, Weather
from switchyard.simulation.network import Answer, Network, Unreachable
from switchyard.simulation.story import Story
from switchyard.simulation.timeline import Timeline


def test_actions_of_one_moment_run_in_the_order_of_asking() -> None:
    timeline, done = Timeline(), list[str]()
    timeline.at(2, lambda: done.append("late"))
    timeline.at(1, lambda: done.append("first"))
    timeline.at(1, lambda: timeline.after(0, lambda: done.append("third")))
    timeline.at(1, lambda: done.append("second"))
    while timeline.step():
        continue
    assert done == ["first", "second", "third", "late"]
    assert timeline.now == 2


def test_the_story_keeps_the_last_lines_and_a_digest_of_all() -> None:
    stories = [Story(Timeline(), kept=2) for _ in range(3)]
    for story, lines in zip(stories, ("abc", "abc", "xbc"), strict=True):
        for line in lines:
            story.note("who", line)
    assert stories[0].last() == stories[2].last()
    assert len(stories[0].last()) == 2
    assert stories[0].digest == stories[1].digest != stories[2].digest


class World:
    """A broker and a network, and what arrived."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, Random(1))
        self.broker = Broker(self.timeline, Random(1), Story(self.timeline), self.network)
        self.arrived: list[int] = []

    def consume(self) -> None:
        self.broker.consume("reader", "queue", lambda message: self.arrived.append(message["n"]))

    def run(self) -> list[int]:
        while self.timeline.step():
            continue
        return self.arrived


def test_messages_wait_for_a_consumer_that_can_be_reached() -> None:
    world = World()
    assert world.broker.send("writer", "queue", {"n": 1})
    world.run()
    assert world.broker.waiting("queue") == 1
    world.network.cut("reader", out=False, into=True)
    world.consume()
    assert world.run() == []
    world.network.join("reader")
    assert world.arrived == [1]


def test_bad_weather_loses_doubles_and_reorders_messages() -> None:
    world = World()
    world.broker.weather = Weather(lost=0.2, doubled=0.3, delayed=0.5, late=10)
    world.consume()
    for n in range(200):
        world.broker.send("writer", "queue", {"n": n})
    arrived = world.run()
    assert set(arrived) < set(range(200))
    assert len(arrived) > len(set(arrived)) > 100
    assert arrived != sorted(arrived)


def test_what_is_cut_off_cannot_send_and_gets_no_answer() -> None:
    world, answers = World(), list[Answer[int]]()
    world.network.cut("writer", out=True, into=False)
    assert not world.broker.send("writer", "queue", {"n": 1})
    asked: list[int] = []

    def question() -> int:
        asked.append(1)
        return 7

    world.network.ask("writer", question, answers.append)
    world.run()
    world.network.join("writer")
    world.network.ask("writer", question, answers.append)
    world.network.cut("writer", out=False, into=True)
    world.run()
    world.network.join("writer")
    world.network.ask("writer", question, answers.append)
    world.run()
    assert [type(answer.error) for answer in answers[:2]] == [Unreachable, Unreachable]
    assert answers[2].get() == 7
    assert len(asked) == 2, "of the three questions two arrived, and one of the answers was lost"
