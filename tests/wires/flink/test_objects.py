"""Objects of Java: the very bytes of a real cluster and of real classes, and a plain reading of the stream."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from jobs.models import Task
from switchyard.scheduling.accumulators import Accumulator, Kind
from tests.wires.flink.streams import read
from wires.flink.encode.classes import described
from wires.flink.encode.java import Instance, Layout, serialized
from wires.flink.encode.objects import accumulated, throwable

RECORDED = Path(__file__).parent / "recorded"
WRITTEN: dict[str, str] = json.loads((Path(__file__).parent / "written-by-java.json").read_text())
#: Of more bytes than two bytes can tell.
LONG = "ValueError: naïve \U0001f600" * 3000
Ids = dict[str, str]
Told = Callable[..., Any]


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / "failing_execution_result_failed.json").read_text())
    result: dict[str, Any] = found["body"]["job-execution-result"]
    return result


def test_a_value_has_the_bytes_that_a_cluster_answered() -> None:
    assert b64encode(accumulated(Accumulator("seen", Kind.INT, 303))).decode() == recorded()["accumulator-results"]["seen"]


def test_the_layout_of_a_throwable_is_that_of_a_cluster() -> None:
    theirs = b64decode(recorded()["failure-cause"]["serialized-throwable"].partition(" ")[0])
    assert len(theirs) > 200
    assert throwable("RuntimeError", "boom", "text").startswith(theirs)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("long", Accumulator("a", Kind.LONG, -(2**63))),
        ("double", Accumulator("a", Kind.DOUBLE, 6.02e23)),
        ("average", Accumulator("a", Kind.AVERAGE, 0.75)),
        ("histogram", Accumulator("a", Kind.HISTOGRAM, {10: 2, -9: 1})),
    ],
)
def test_a_value_has_the_bytes_that_javas_classes_write(name: str, ours: Accumulator) -> None:
    assert b64encode(accumulated(ours)).decode() == WRITTEN[name]


def test_texts_have_the_bytes_that_javas_classes_write() -> None:
    optional = Layout(
        "org.apache.flink.util.OptionalFailure", 1, (("failureCause", "Ljava/lang/Throwable;"),), writes_more=True
    )
    short, long = (serialized(Instance(optional, (None,), (text,))) for text in ("naïve \U0001f600 \0", LONG))
    assert b64encode(short).decode() == WRITTEN["short text"]
    assert sha256(long).hexdigest() == WRITTEN["long text, sha256"]


def test_a_throwable_is_read_as_it_was_told() -> None:
    text = "task 0 of stage a failed: Traceback (most recent call last):\n  frame\nKeyError: 'x'\nand more"
    found = read(throwable(*described(text), text))
    assert found.name == "org.apache.flink.util.SerializedThrowable"
    assert found.fields == {
        **dict.fromkeys(("cause", "stackTrace", "suppressedExceptions", "serializedException")),
        "detailMessage": "'x'\nand more",
        "fullStringifiedStackTrace": text,
        "originalErrorClassName": "KeyError",
    }


@pytest.mark.parametrize("text", ["", "a\0b", "é€\U0001f600", "\ud800", "x" * 65535, "x" * 65536, "Ljava/lang/String;"])
def test_texts_are_read_as_they_were_told(text: str) -> None:
    found = read(throwable("E", text, text)).fields
    assert (found["detailMessage"], found["fullStringifiedStackTrace"]) == (text or None, text)


@pytest.mark.parametrize(
    "found",
    [
        Accumulator("a", Kind.INT, 2**31),
        Accumulator("a", Kind.LONG, 2**63),
        Accumulator("a", Kind.HISTOGRAM, {1: 2**31}),
        Accumulator("a", Kind.HISTOGRAM, {-(2**31) - 1: 1}),
    ],
)
def test_a_value_that_java_has_no_number_for_is_told_as_a_failure(found: Accumulator) -> None:
    told = read(accumulated(found))
    failure = told.fields["failureCause"]
    assert told.more == [None]
    assert failure.fields["originalErrorClassName"] == "ArithmeticException"
    assert str(found.value) in failure.fields["detailMessage"]


@pytest.mark.django_db
def test_why_a_job_failed_is_an_object_of_java(told: Told, failed: Ids) -> None:
    cause = told(f"/jobs/{failed['job']}/execution-result")["job-execution-result"]["failure-cause"]
    found = read(b64decode(cause["serialized-throwable"])).fields
    assert (cause["class"], found["originalErrorClassName"]) == ("RuntimeError", "RuntimeError")
    assert (found["detailMessage"], found["fullStringifiedStackTrace"]) == ("boom", cause["stack-trace"])


@pytest.mark.django_db
def test_accumulators_of_a_job_are_objects_of_java(told: Told, running: Ids, finish: Callable[[], None]) -> None:
    finish()
    Task.objects.filter(stage__name="read", index=0).update(accumulators={"n": 3, "h": {"histogram": {"10": 2, "9": 1}}})
    Task.objects.filter(stage__name="read", index=1).update(accumulators={})
    result = told(f"/jobs/{running['job']}/execution-result")["job-execution-result"]["accumulator-results"]
    job = told(f"/jobs/{running['job']}/accumulators?includeSerializedValue=true")["serialized-user-task-accumulators"]
    assert result == job
    number, histogram = read(b64decode(job["n"])).more[0], read(b64decode(job["h"])).more[0]
    assert (number.name, number.fields) == ("java.lang.Long", {"value": 3})
    assert (histogram.name, histogram.fields) == ("java.util.TreeMap", {"comparator": None})
    assert [each.fields["value"] for each in histogram.more[1:]] == [9, 1, 10, 2]
