"""The description of a stage as a value: what agents must know of it, whole or in the short form for a full command."""

import json
from dataclasses import dataclass
from typing import Any, Self

from switchyard.messaging.messages import SHORT_SPEC

#: Bytes of a message, about, for a stage, beside texts of users.
STAGE = 200
#: What stays in the short form: an agent fetches by it, and needs it before the description is there.
_KEPT = ("job", "name", "parallelism", "disconnect_grace", "restored")


@dataclass(frozen=True, slots=True)
class Description:
    """What agents are told of a stage, and about how many bytes of a message that takes."""

    told: dict[str, Any]
    size: int

    @property
    def short(self) -> Self:
        """What stands for it where it is left out."""
        told: dict[str, Any] = {name: self.told[name] for name in _KEPT if name in self.told}
        spec = {name: self.told["spec"][name] for name in SHORT_SPEC}
        return type(self)({**told, "left_out": True, "spec": spec, "inputs": []}, STAGE + len(json.dumps(told)))

    def within(self, most: int) -> Self:
        """Return it, or what stands for it if it takes more than so many bytes."""
        return self if self.size <= most else self.short


Described = dict[int, Description]
