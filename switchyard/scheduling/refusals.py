"""Why a stage was not placed: reasons with the number of nodes each applies to, the nearest miss, sentences.

Only the words: who refuses is placement.eligibility (who may take it) and placement.refusing (who has room).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from switchyard.scheduling.resources import Resources, describe

INFEASIBLE = "Infeasible: no registered node could ever run this, even when empty."


class Why(StrEnum):
    """Why a node (or a pool) does not take the work. Each node is counted under the first that applies."""

    POOL_EMPTY = "pool_empty"  #: the pool has no nodes; detail: the pool
    LABELS = "labels"  #: the labels do not meet a constraint; detail: the constraint
    EXCLUDED = "excluded"  #: the request shuns these nodes; detail: why
    UNAVAILABLE = "unavailable"  #: paused, draining, silent ...; detail: that word
    TOO_SMALL = "too_small"  #: not enough even when empty; detail: the resource
    RESERVED = "reserved"  #: kept free for another stage
    SHORT = "short"  #: not enough free now; detail: the resource
    GANG = "gang"  #: has room, but not for all members at once; detail: how many of how many
    RESERVING = "reserving"  #: being kept free for this very stage
    TARGET = "target"  #: its job has as many tasks as it is granted; detail: the algorithm, how many, and how many it has


_SENTENCES = {
    Why.POOL_EMPTY: "The pool {detail} has no nodes.",
    Why.LABELS: "{nodes} {have} labels that do not meet {detail}.",
    Why.EXCLUDED: "{nodes} cannot run these tasks{because}.",
    Why.UNAVAILABLE: "{nodes} {are} {detail}.",
    Why.TOO_SMALL: "{nodes} {are} too small: not enough {detail} even when empty.",
    Why.RESERVED: "{nodes} {are} reserved for another job.",
    Why.SHORT: "{nodes} {have} not enough free {detail}.",
    Why.GANG: "All members must start at once: there is room for {detail} on {nodes}.",
    Why.RESERVING: "{nodes} {are} being kept free for it.",
    Why.TARGET: "The algorithm {detail}.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, and on how many nodes it applies."""

    why: Why
    nodes: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """The node that comes nearest to having room, and what it lacks."""

    node: int
    name: str
    lacks: Resources


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why waiting tasks were not placed. Infeasible: no registered node could ever meet it, even empty."""

    reasons: tuple[Reason, ...]
    nearest: NearMiss | None = None
    infeasible: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for a row or an answer."""
        nearest = self.nearest and {
            "node": self.nearest.node,
            "name": self.nearest.name,
            "lacks": dict(self.nearest.lacks),
        }
        reasons = [{"why": str(r.why), "nodes": r.nodes, "detail": r.detail} for r in self.reasons]
        return {"infeasible": self.infeasible, "reasons": reasons, "nearest": nearest}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Refusal":
        """Read what `to_dict` returned."""
        near = plain["nearest"]
        nearest = NearMiss(near["node"], near["name"], Resources(near["lacks"])) if near else None
        reasons = tuple(Reason(Why(r["why"]), r["nodes"], r["detail"]) for r in plain["reasons"])
        return cls(reasons, nearest, plain["infeasible"])


def sentences(refusal: Refusal) -> list[str]:
    """Say the refusal for people, the verdict first, then each reason by weight, then the nearest miss."""
    verdict = ["Infeasible: no registered node could ever run this, even when empty."] if refusal.infeasible else []
    reasons = [_sentence(reason) for reason in sorted(refusal.reasons, key=lambda reason: -reason.nodes)]
    return verdict + reasons + _nearest(refusal.nearest)


def _sentence(reason: Reason) -> str:
    one = reason.nodes == 1
    return _SENTENCES[reason.why].format(
        nodes="1 node" if one else f"{reason.nodes:,} nodes",
        are="is" if one else "are",
        have="has" if one else "have",
        detail=reason.detail,
        because=f": {reason.detail}" if reason.detail else "",
    )


def _nearest(nearest: NearMiss | None) -> list[str]:
    return [f"Nearest is {nearest.name}, which lacks {describe(nearest.lacks)}."] if nearest else []
