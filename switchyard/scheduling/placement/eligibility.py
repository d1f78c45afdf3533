"""Eligibility: which nodes a request may use at all, whatever room they have, and why not the others."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import numpy as np

from switchyard.scheduling.cluster import BoolArray, Cluster, NodeView
from switchyard.scheduling.placement.request import Request
from switchyard.scheduling.refusals import Reason, Why
from switchyard.scheduling.spec.types import Constraint, Op


@dataclass(frozen=True, slots=True)
class Eligible:
    """The nodes that may take a request now, those that ever could (by pool and labels), why not others."""

    now: BoolArray
    ever: BoolArray
    reasons: tuple[Reason, ...]


class Eligibility:
    """Answers for one cluster; alike questions of a round are worked out once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._available = self._mask(lambda node: node.accepting)
        self._masks: dict[Hashable, BoolArray] = {}
        self._answers: dict[Hashable, Eligible] = {}

    def of(self, request: Request) -> Eligible:
        """Return who may take this request, by its pool, its constraints and the nodes that it shuns."""
        key = (request.pool, request.constraints, request.excluded)
        if key not in self._answers:
            self._answers[key] = self._work_out(*key)
        return self._answers[key]

    def _work_out(self, pool: str, constraints: tuple[Constraint, ...], excluded: frozenset[int]) -> Eligible:
        members = self._cached(pool, lambda node: node.pool == pool)
        if not members.any():
            return Eligible(members, members, (Reason(Why.POOL_EMPTY, 0, pool),))
        reasons: list[Reason] = []
        ever = members
        for constraint in constraints:
            ever, reason = self._narrow(ever, constraint)
            reasons += reason
        shunned = self._positions_of(excluded) & ever
        reasons += _reason(Why.EXCLUDED, shunned)
        rest = ever & ~shunned
        return Eligible(rest & self._available, ever, (*reasons, *self._unavailable(rest & ~self._available)))

    def _narrow(self, mask: BoolArray, constraint: Constraint) -> tuple[BoolArray, list[Reason]]:
        allowed = self._cached(constraint, lambda node: constraint.admits(node.labels))
        return mask & allowed, _reason(Why.LABELS, mask & ~allowed, _words(constraint))

    def _unavailable(self, mask: BoolArray) -> list[Reason]:
        words = Counter(self._cluster.nodes[position].unavailable or "" for position in mask.nonzero()[0])
        return [Reason(Why.UNAVAILABLE, count, word) for word, count in sorted(words.items())]

    def _positions_of(self, ids: Iterable[int]) -> BoolArray:
        mask = np.zeros(len(self._cluster), dtype=np.bool_)
        mask[[self._cluster.positions[id_] for id_ in ids if id_ in self._cluster.positions]] = True
        return mask

    def _cached(self, key: Hashable, test: Callable[[NodeView], bool]) -> BoolArray:
        if key not in self._masks:
            self._masks[key] = self._mask(test)
        return self._masks[key]

    def _mask(self, test: Callable[[NodeView], bool]) -> BoolArray:
        return np.fromiter(map(test, self._cluster.nodes), dtype=np.bool_, count=len(self._cluster))


def _reason(why: Why, mask: BoolArray, detail: str = "") -> list[Reason]:
    count = int(mask.sum())
    return [Reason(why, count, detail)] if count else []


def _words(constraint: Constraint) -> str:
    if constraint.op is Op.EXISTS:
        return f"{constraint.label} present"
    sign = {Op.EQ: "=", Op.NE: "≠", Op.IN: "in"}[constraint.op]
    return f"{constraint.label} {sign} {', '.join(constraint.values)}"
