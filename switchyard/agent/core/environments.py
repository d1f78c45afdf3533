"""Environments: which are built, which stages wait for them, and which are kept. The shell builds and removes them.

Stages with the same environment wait for one build. Nobody waits for a build any more: it is ended. Of those that no
task here needs, the longest unused go when all together are larger than a bound.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from switchyard.agent.core.builds import LONGEST, Built, Outcome, timed_out, verdict
from switchyard.agent.core.entries import Entries
from switchyard.agent.core.moment import Moment
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.stages import Stage

#: Builds that run at once.
MOST = 2
#: Bytes that are kept at most, but for what is in use.
BOUND = 20 << 30
WAITS = "waits until other environments are built"
BUILDS = "builds its environment"


@dataclass(slots=True)
class Kept:
    """An environment that is whole: its folder, its size in bytes, and when it was used last."""

    home: str
    size: int
    used: float


class Builder(Protocol):
    """Builds environments."""

    def build(self, digest: str, wanted: Mapping[str, Any], done: "Done", /) -> None:
        """Build an environment; `done` is called later, exactly once."""

    def cancel(self, digest: str, /) -> None:
        """End a build; what it has made so far goes."""

    def said(self, digest: str, /) -> str:
        """Return the last line that a build has written."""

    def use(self, home: str, /) -> bool:
        """Note that an environment is used; return whether it is there."""

    def remove(self, home: str, /) -> None:
        """Remove an environment."""


class Done(Protocol):
    """Takes the outcome of a build; None if it was ended on request."""

    def __call__(self, outcome: Outcome | None, /) -> None: ...


@dataclass(slots=True)
class Build:
    """A build that runs; `unwanted` once it is being ended, `late` if that is because it took too long."""

    begun: float
    unwanted: bool = False
    late: bool = False


class Environments:
    """The environments of one node. `kept` are by digest."""

    def __init__(
        self, *, entries: Entries, floor: Floor, builder: Builder, moment: Moment, kept: Mapping[str, Kept], bound: int
    ) -> None:
        self._list = entries
        self._floor = floor
        self._builder = builder
        self._moment = moment
        self._bound = bound
        self.kept = dict(kept)
        #: Who waits for what, those that came first first.
        self.waiting: dict[str, list[Stage]] = {}
        self.running: dict[str, Build] = {}
        self._failed: list[Stage] = []

    def need(self, stage: Stage) -> None:
        """See to it that a stage gets its environment, now or once it is built."""
        if stage.is_built or stage.building:
            return
        kept = self.kept.get(stage.digest)
        if kept and self._builder.use(kept.home):
            kept.used = self._moment.now
            self._give(stage, kept.home, "")
            return
        self.kept.pop(stage.digest, None)
        self.waiting.setdefault(stage.digest, []).append(stage)
        stage.building = WAITS

    def look(self) -> None:
        """End builds that nobody waits for, and those that take too long; begin others; keep within the bound."""
        listed = {entry.stage.id: entry.stage for entry in self._list.entries if entry.stage.environment}
        if not (listed or self.waiting or self._failed or self.kept):
            return
        for stage in listed.values():
            self.need(stage)
        self._drop(listed)
        for digest, build in self.running.items():
            late = self._moment.now - build.begun > LONGEST
            if not build.unwanted and (late or digest not in self.waiting):
                build.unwanted, build.late = True, late
                self._builder.cancel(digest)
        for digest in self.waiting:
            if len(self.running) < MOST and digest not in self.running:
                self._begin(digest)
        self.trim()

    def tell(self) -> None:
        """Note what builds have come to, for those who ask what their tasks wait for."""
        for digest in self.running:
            said = self._builder.said(digest)
            for stage in self.waiting.get(digest, ()):
                stage.building = f"{BUILDS}: {said}" if said else BUILDS

    def delayed(self) -> list[Stage]:
        """Return of each build that runs the stage that has waited longest for it."""
        listed = {entry.stage.id for entry in self._list.entries}
        waiting = [self.waiting.get(digest, []) for digest in self.running]
        return [found for stages in waiting if (found := next((each for each in stages if each.id in listed), None))]

    def trim(self) -> None:
        """Remove what is longest unused while there is too much."""
        size = sum(kept.size for kept in self.kept.values())
        if size <= self._bound:
            return
        used = self._used()
        for digest, kept in sorted(self.kept.items(), key=lambda each: each[1].used):
            if kept.home in used:
                kept.used = self._moment.now
            elif size > self._bound:
                size -= kept.size
                del self.kept[digest]
                self._forget(kept.home)
                self._floor.dismiss(kept.home)
                self._builder.remove(kept.home)

    def _used(self) -> set[str]:
        """Return the homes that tasks here need, on the list or with workers."""
        needed = {entry.stage.home for entry in self._list.entries}
        return needed | {worker.key[-1] for worker in self._floor.busy.values()}

    def _drop(self, listed: Mapping[int, Stage]) -> None:
        """Forget the stages that have nothing left on the list."""
        for digest, stages in list(self.waiting.items()):
            for stage in stages:
                if stage.id not in listed:
                    stage.building = ""
            stages[:] = [stage for stage in stages if stage.id in listed]
            if not stages:
                del self.waiting[digest]
        gone = [stage for stage in self._failed if stage.id not in listed] if self._failed else []
        for stage in gone:
            if stage.id not in self._floor.stages():
                stage.forget_build()
        self._failed = [stage for stage in self._failed if stage.failed]

    def _begin(self, digest: str) -> None:
        self.running[digest] = Build(self._moment.now)
        for stage in self.waiting[digest]:
            stage.building = BUILDS
        wanted = self.waiting[digest][0].environment or {}
        self._builder.build(digest, wanted, lambda outcome: self._ended(digest, outcome))

    def _ended(self, digest: str, outcome: Outcome | None) -> None:
        build = self.running.pop(digest)
        if build.unwanted and not build.late:
            # Who waits for it again gets a build of its own.
            if isinstance(outcome, Built):
                self._builder.remove(outcome.home)
            return
        if outcome is None:
            outcome = timed_out()
        stages = self.waiting.pop(digest, [])
        if isinstance(outcome, Built):
            self.kept[digest] = Kept(outcome.home, outcome.size, self._moment.now)
        for stage in stages:
            if isinstance(outcome, Built):
                self._give(stage, outcome.home, outcome.log)
            else:
                stage.building = ""
                stage.fail_build(outcome.log, verdict(outcome))
                self._failed.append(stage)
            self._list.renew(stage, self._moment.now)

    def _give(self, stage: Stage, home: str, log: str) -> None:
        stage.building = ""
        stage.have_environment(home, log)
        self._list.renew(stage, self._moment.now)

    def _forget(self, home: str) -> None:
        for stage in self._list.stages.values():
            if stage.home == home:
                stage.forget_build()


def oldest_first(kept: Iterable[tuple[str, Kept]], now: float) -> dict[str, Kept]:
    """Return what a predecessor has kept as used before `now`, in the order of last use."""
    ordered = sorted(kept, key=lambda each: each[1].used)
    return {digest: Kept(each.home, each.size, now - len(ordered) + at) for at, (digest, each) in enumerate(ordered)}
