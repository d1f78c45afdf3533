"""Jobs of a `switchyard.yaml`: parameters take their places by their kind, and what is odd is named."""

from typing import Any

import pytest

from switchyard.programs import manifest
from switchyard.programs.errors import BadEntry
from tests.programs.archives import COUNT

ENTRIES = manifest.parse(COUNT)


def test_parameters_take_their_places() -> None:
    told = manifest.described(ENTRIES["count"], ["--out", "o p", "--times=3"], 4)
    assert told["name"] == "count hello"
    read, add = told["stages"]
    assert (read["parallelism"], read["command"], read["env"]) == (4, ["echo", "o p $HOME ${x}"], {"N": "3"})
    assert add["kwargs"] == {"times": 3}
    assert manifest.described(ENTRIES["count"], ["--out", ""], None)["stages"][0]["parallelism"] == 1


def test_parallelism_goes_to_stages_that_say_none_of_their_own() -> None:
    job: dict[str, Any] = {"stages": [{"name": "a"}, {"name": "b", "parallelism": 2}, {"name": "c", "foreach": [1]}]}
    entry = manifest.Entry("e", None, {}, job)
    told = manifest.described(entry, [], 5)["stages"]
    assert [each.get("parallelism") for each in told] == [5, 2, None]
    assert manifest.described(entry, [], None) == job
    assert "parallelism" not in manifest.described(ENTRIES["count"], ["--out", "o"], 5)["stages"][1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "needs the argument --out"),
        (["--bad", "1"], "takes no argument '--bad'; it takes --text, --times, --out"),
        (["x"], "takes no argument 'x'"),
        (["--out"], "--out needs a value"),
        (["--out", "o", "--times", "many"], "must be like its default, 2; it is 'many'"),
        (["--out", "o", "--times", "true"], "must be like its default"),
    ],
)
def test_odd_arguments_are_named(arguments: list[str], reason: str) -> None:
    with pytest.raises(BadEntry) as raised:
        manifest.described(ENTRIES["count"], arguments, None)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("text", "reason"), [("${{ unknown }}", "'unknown', which is not declared"), ("a ${{ b", "no parameter follows")]
)
def test_odd_places_are_named(text: str, reason: str) -> None:
    entry = manifest.Entry("e", None, {}, {"name": text})
    with pytest.raises(BadEntry) as raised:
        manifest.described(entry, [], None)
    assert reason in str(raised.value)
