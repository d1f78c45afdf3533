"""Builds of environments: some seconds each, and some fail, in ways that depend on the environment alone."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from switchyard.agent.core.builds import Built, Failed, Outcome
from switchyard.agent.core.environments import Done

if TYPE_CHECKING:
    from switchyard.simulation.agents import Agent


class Building:
    """The builds of one session of an agent; what comes after it is dropped."""

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent
        self._running: dict[str, Callable[[Outcome | None], None]] = {}

    def build(self, digest: str, wanted: Mapping[str, Any], done: Done, /) -> None:
        agent, session = self._agent, self._agent.session

        def end(outcome: Outcome | None) -> None:
            if self._running.get(digest) is end:
                del self._running[digest]
                agent.run(lambda: take(outcome), session)

        def take(outcome: Outcome | None) -> None:
            if session:
                session.machine.at(agent.machine.monotonic)
                done(outcome)
                session.turn_in(0.001)

        self._running[digest] = end
        outcome = _outcome(digest, wanted.get("requirements") or [])
        agent.machine.timeline.after(agent.random.uniform(0.1, 5.0), lambda: end(outcome))

    def cancel(self, digest: str, /) -> None:
        # One that has just ended may not have been heard of yet.
        if end := self._running.get(digest):
            self._agent.machine.timeline.after(0.1, lambda: end(None))

    def said(self, digest: str, /) -> str:
        return ""

    def use(self, home: str, /) -> bool:
        return True

    def remove(self, home: str, /) -> None:
        return


def _outcome(digest: str, requirements: list[str]) -> Outcome:
    if "nowhere" in requirements:
        return Failed("ERROR: No matching distribution found for nowhere")
    if "unsuited" in requirements:
        return Failed("error: Python 3.14 is not on this node", unsuited=True)
    return Built(f"/environments/{digest}", 1, "")
