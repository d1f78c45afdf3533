"""Faults: what goes wrong in a run and when, drawn from the seed. Each run has some classes of them, often."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """The classes of faults."""

    WEATHER = "messages are lost, doubled and late"
    ANSWERS_LOST = "answers over HTTP are lost"
    BROKER_DOWN = "the broker is down"
    FLUSH = "the broker loses all messages"
    AGENT_KILLED = "an agent is killed"
    AGENT_KILLED_WRITING = "an agent is killed as it writes its journal"
    AGENT_ASLEEP = "an agent is stopped for a while"
    AGENT_MUTE = "nothing of an agent arrives"
    AGENT_DEAF = "nothing arrives at an agent"
    AGENT_CUT = "an agent is cut off"
    DISK_FULL = "a disk is full"
    LEADER_KILLED = "the leader is killed"
    LEADER_KILLED_BEFORE_COMMIT = "the leader is killed before a commit"
    LEADER_KILLED_AFTER_COMMIT = "the leader is killed after a commit"
    LEADER_ASLEEP = "the leader is stopped for a while"
    LEADER_CUT = "the leader is cut off from the broker"
    CLOCK_SET = "the database's clock is set"
    COMMITS_LOST = "the database loses its last commits"
    NODE_PAUSED = "an operator pauses a node"


#: About how many seconds lie between two faults of a class, in a run that has it, and how long each lasts.
EVERY, LASTS, LASTS_LONG = 40.0, 12.0, 45.0
#: Classes whose faults last longer: until a session is over, or close to it.
LONG = frozenset({Kind.AGENT_ASLEEP, Kind.AGENT_MUTE, Kind.AGENT_DEAF, Kind.AGENT_CUT, Kind.LEADER_ASLEEP, Kind.NODE_PAUSED})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong: when, for how long, and a number in [0, 1) that says whom it befalls, or how much."""

    at: float
    kind: Kind
    seconds: float
    share: float


def draw(random: Random, until: float, weights: Mapping[Kind, float] | None = None) -> list[Fault]:
    """Draw the faults of a run; `weights` are the chances of classes to be in it."""
    faults = []
    for kind in Kind:
        if random.random() < (weights or {}).get(kind, 0.25):
            faults += list(_series(random, kind, until))
    return sorted(faults, key=lambda fault: fault.at)


def _series(random: Random, kind: Kind, until: float) -> list[Fault]:
    faults, at = [], random.expovariate(2 / EVERY)
    while at < until:
        seconds = random.expovariate(1 / (LASTS_LONG if kind in LONG else LASTS))
        faults.append(Fault(at, kind, min(seconds, until - at), random.random()))
        at += seconds + random.expovariate(1 / EVERY)
    return faults
