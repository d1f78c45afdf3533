"""What becomes of each attempt: how long it runs and how it ends. It follows from the seed and the attempt's name alone."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from random import Random


class End(StrEnum):
    """How an attempt ends if nothing interferes."""

    FINISHES = "finishes"
    FAILS = "fails"
    DIES = "dies"
    HANGS = "hangs"


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
        digest = blake2b(f"{self._seed} {stage} {attempt} {index}".encode(), digest_size=8).digest()
        random = Random(int.from_bytes(digest))
        seconds = random.expovariate(1 / self._pace)
        end = random.choice((End.FAILS, End.FAILS, End.DIES, End.HANGS)) if random.random() < self._bad else End.FINISHES
        return Fate(seconds, end, obeys=random.random() < 0.8)
