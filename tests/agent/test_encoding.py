"""What travels in messages is the same whoever encodes it."""

import json
from enum import StrEnum
from typing import Any

import pytest

from switchyard.messaging import encoding


class Kind(StrEnum):
    LOST = "lost"


@pytest.mark.parametrize(
    "value",
    [
        None, 2**70, -(2**63), -0.0, 6.02e23, 5e-324, "é\u2028\U0001f600", "half \ud800", "nul \0", {"a": [1, {"b": None}]},
        Kind.LOST, {"class": Kind.LOST}, [[1, 0, [3]], "text"],
    ],
)  # fmt: skip
def test_a_value_arrives_as_it_was_sent(value: Any) -> None:
    arrived = encoding.decode(encoding.encode(value))
    assert json.dumps(arrived) == json.dumps(value)


@pytest.mark.parametrize("text", ["", "{", "[1,]", b"\xff", "nul"])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - both decoders have classes of their own
        encoding.decode(text)
