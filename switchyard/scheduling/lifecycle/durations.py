"""How long tasks of a kind ran, as the leader remembers it. Forgetting costs a slower start, nothing else."""

from uuid import UUID

from switchyard.scheduling.backlog import Measure

Kind = tuple[UUID, str]
#: Kinds remembered; past that all are forgotten and measured anew.
KINDS = 50_000


class Measures:
    """Measures by job and callable: stages of one job that call the same run for as long."""

    def __init__(self) -> None:
        self._by_kind: dict[Kind, Measure] = {}
        self._by_stage: dict[int, Measure] = {}
        #: Stages of which an agent gave tasks back; they are placed only when they are ready.
        self.impatient: set[int] = set()
        #: Those of them since whose return no task has ended: on a list they would wait as long again.
        self.returned: set[int] = set()

    def of_kind(self, kind: Kind, stage: int) -> Measure:
        """Return the measure of a kind, and remember that a stage is of it."""
        if len(self._by_stage) > KINDS:
            self._by_kind.clear()
            self._by_stage.clear()
            self.impatient.clear()
            self.returned.clear()
        measure = self._by_kind.setdefault(kind, Measure())
        self._by_stage[stage] = measure
        return measure

    def note_returned(self, stages: set[int], *, freed: bool) -> None:
        """Note of which stages tasks were given back, and whether others have ended at that."""
        if freed:
            self.returned.clear()
        self.impatient |= stages
        self.returned |= stages

    def of_stage(self, stage: int) -> Measure:
        """Return what is known of a stage."""
        return self._by_stage.get(stage) or Measure()
