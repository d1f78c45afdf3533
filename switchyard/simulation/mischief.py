"""Mischief: does to a world what its faults say, and undoes it."""

from collections.abc import Callable

from switchyard.simulation.broker import FAIR, Weather
from switchyard.simulation.faults import Fault, Kind
from switchyard.simulation.machines import Machine
from switchyard.simulation.world import World

#: Seconds after lost commits within which attempts may run twice: until an agent that nobody hears has ended itself.
FORGIVEN = 130.0


class Mischief:
    """Has the faults of a run happen."""

    def __init__(self, world: World, faults: list[Fault]) -> None:
        self._world = world
        self._over = False
        self._remedies: list[Callable[[], None]] = []
        for fault in faults:
            world.timeline.at(fault.at, lambda fault=fault: self._happen(fault))  # type: ignore[misc]

    def end(self) -> None:
        """Undo all faults; no more happen."""
        self._over = True
        for remedy in self._remedies:
            remedy()

    def _happen(self, fault: Fault) -> None:
        if self._over:
            return
        self._world.story.note("fault", f"{fault.kind} for {fault.seconds:.1f} s")
        remedy = _DEEDS[fault.kind](self._world, fault)
        if remedy:
            once = _once(remedy)
            self._remedies.append(once)
            self._world.timeline.after(fault.seconds, once)


def _once(remedy: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def remedied() -> None:
        if not done:
            done.append(True)
            remedy()

    return remedied


Deed = Callable[[World, Fault], Callable[[], None] | None]


def _machine(world: World, fault: Fault) -> Machine:
    return world.machines[int(fault.share * len(world.machines))]


def _weather(world: World, fault: Fault) -> Callable[[], None]:
    share = fault.share
    world.broker.weather = Weather(lost=0.6 * share**2, doubled=0.3, seconds=0.01, delayed=0.2, late=4.0 + 20 * share)
    return lambda: setattr(world.broker, "weather", FAIR)


def _lose_answers(world: World, fault: Fault) -> Callable[[], None]:
    world.network.lost = 0.5
    return lambda: setattr(world.network, "lost", 0.0)


def _stop_broker(world: World, fault: Fault) -> Callable[[], None]:
    world.broker.up = False
    return world.broker.start


def _flush(world: World, fault: Fault) -> None:
    world.broker.flush()


def _kill_agent(world: World, fault: Fault) -> None:
    world.agents[_machine(world, fault).name].kill()


def _kill_agent_writing(world: World, fault: Fault) -> Callable[[], None]:
    agent = world.agents[_machine(world, fault).name]
    agent.lines_left = 1 + int(fault.share * 1000) % 7
    return lambda: setattr(agent, "lines_left", None)


def _stop_agent(world: World, fault: Fault) -> Callable[[], None]:
    agent = world.agents[_machine(world, fault).name]
    agent.sleep()
    return agent.go_on


def _cut_agent(*, out: bool, into: bool) -> Deed:
    def cut(world: World, fault: Fault) -> Callable[[], None]:
        name = _machine(world, fault).name
        world.network.cut(name, out=out, into=into)
        return lambda: world.network.join(name)

    return cut


def _fill_disk(world: World, fault: Fault) -> Callable[[], None]:
    disk = _machine(world, fault).disk
    disk.full = True
    return lambda: setattr(disk, "full", False)


def _kill_leader(world: World, fault: Fault) -> None:
    if world.leader:
        world.leader.kill()


def _kill_leader_at_commit(*, after: bool) -> Deed:
    name = "kill_after_commit" if after else "kill_before_commit"

    def kill(world: World, fault: Fault) -> Callable[[], None] | None:
        if world.leader is None or world.leader.leader is None:
            return None
        records = world.leader.leader.records
        world.timeline.after(fault.share, lambda: setattr(records, name, True))
        return lambda: setattr(records, name, False)

    return kill


def _stop_leader(world: World, fault: Fault) -> Callable[[], None] | None:
    leader = world.leader
    if leader is None:
        return None
    leader.sleep()
    return leader.go_on


def _cut_leader(world: World, fault: Fault) -> Callable[[], None] | None:
    leader = world.leader
    if leader is None:
        return None
    world.network.cut(leader.name, out=fault.share < 0.7, into=fault.share > 0.3)
    return lambda: world.network.join(leader.name)


def _set_clock(world: World, fault: Fault) -> None:
    world.transitions.comparable = False
    world.database.set_clock(-60 if fault.share < 0.5 else 300)


def _lose_commits(world: World, fault: Fault) -> None:
    """Lose what leaders commit within a second; all scheduler processes lose their connection with it."""
    world.database.keep()

    def lose() -> None:
        if world.database.lose():
            world.story.note("database", "has lost its last commits")
            world.truth.forget(FORGIVEN)
            world.transitions.forget()
            world.checkpointing.forget()
        for candidate in list(world.candidates.values()):
            candidate.kill()

    world.timeline.after(fault.share, lose)


def _pause_node(world: World, fault: Fault) -> Callable[[], None] | None:
    ids = sorted(world.database.store.nodes)
    if not ids:
        return None
    id_ = ids[int(fault.share * len(ids))]
    world.server.pause(id_, paused=True)
    return lambda: world.server.pause(id_, paused=False)


_DEEDS: dict[Kind, Deed] = {
    Kind.WEATHER: _weather,
    Kind.ANSWERS_LOST: _lose_answers,
    Kind.BROKER_DOWN: _stop_broker,
    Kind.FLUSH: _flush,
    Kind.AGENT_KILLED: _kill_agent,
    Kind.AGENT_KILLED_WRITING: _kill_agent_writing,
    Kind.AGENT_ASLEEP: _stop_agent,
    Kind.AGENT_MUTE: _cut_agent(out=True, into=False),
    Kind.AGENT_DEAF: _cut_agent(out=False, into=True),
    Kind.AGENT_CUT: _cut_agent(out=True, into=True),
    Kind.DISK_FULL: _fill_disk,
    Kind.LEADER_KILLED: _kill_leader,
    Kind.LEADER_KILLED_BEFORE_COMMIT: _kill_leader_at_commit(after=False),
    Kind.LEADER_KILLED_AFTER_COMMIT: _kill_leader_at_commit(after=True),
    Kind.LEADER_ASLEEP: _stop_leader,
    Kind.LEADER_CUT: _cut_leader,
    Kind.CLOCK_SET: _set_clock,
    Kind.COMMITS_LOST: _lose_commits,
    Kind.NODE_PAUSED: _pause_node,
}
