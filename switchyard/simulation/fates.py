"""What becomes of each attempt: how long it runs and how it ends. It follows from the seed and the attempt's name alone."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from random import Random

#: Seconds for which a task hangs.
LONG = 20.0


class End(StrEnum):
    """How an attempt ends if nothing interferes."""

    FINISHES = "finishes"
    FAILS = "fails"
    DIES = "dies"
    HANGS = "hangs"
    KILLS_AGENT = "kills its agent"
    UNLOADABLE = "cannot be loaded"


@dataclass(frozen=True, slots=True)
class Fate:
    """Seconds of work, and what comes of it; whether it ends on TERM, rather than on KILL alone."""

    seconds: float
    end: End
    obeys: bool


class Fates:
    """The fates of one run; in some runs tasks fare worse than in others."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        random = Random(f"{seed} fates")
        self._bad = random.choice((0.0, 0.05, 0.2))
        self._pace = random.choice((0.005, 0.2, 3.0))

    def of(self, stage: int, attempt: int, index: int) -> Fate:
        """Return the fate of an attempt."""
        if self._random(stage).random() < self._bad / 10:
            return Fate(0.0, End.UNLOADABLE, obeys=True)
        if self._random(stage, index).random() < self._bad / 20:
            return Fate(self._pace, End.KILLS_AGENT, obeys=True)
        random = self._random(stage, index, attempt)
        seconds = random.expovariate(1 / self._pace)
        end = random.choice((End.FAILS, End.FAILS, End.DIES, End.HANGS)) if random.random() < self._bad else End.FINISHES
        return Fate(seconds + (LONG if end is End.HANGS else 0.0), end, obeys=random.random() < 0.8)

    def _random(self, *name: int) -> Random:
        digest = blake2b(f"{self._seed} {name}".encode(), digest_size=8).digest()
        return Random(int.from_bytes(digest))
