"""Texts that are no job description: too large, not UTF-8, not JSON, or more of YAML than plain data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from switchyard.scheduling.errors import InvalidSpec, TooLarge
from switchyard.scheduling.spec import Limits, parse, to_json


def text_fault(text: bytes | str, form: Any = None) -> str:
    with pytest.raises(InvalidSpec) as caught:
        parse(text, format=form)
    [fault] = caught.value.faults
    assert fault.path == ""
    return fault.reason


@pytest.mark.parametrize(
    ("text", "limits", "name"),
    [
        ("{" + " " * 10_000_000, Limits(), "bytes"),
        (b"name: x" * 10_000_000, Limits(), "bytes"),
        ("# " + "x" * 2**20, Limits(), "yaml_bytes"),
        ("{}", Limits(bytes=1), "bytes"),
    ],
)
def test_big_bodies_are_too_large(text: bytes | str, limits: Limits, name: str) -> None:
    with pytest.raises(TooLarge, match=f"limit '{name}'"):
        parse(text, limits=limits)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON: line 1, column 2"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "has the key 'b' twice in one object"),
        ('{"a": ' + "9" * 5_000 + "}", "has a number of more than 4,300 digits"),
        ('{"a": "\t"}', "is not JSON: line 1, column 8"),
        ('{"a": 1} {"b": 2}', "is not JSON: line 1, column 10"),
        ('{"a":' * 10_000, "is nested too deeply"),
        ("{" + "[" * 10_000, "is not JSON"),
        (b'\xff\xfe{\x00"\x00', "must be UTF-8, not UTF-16"),
        ('{"name": "x"}'.encode("utf-16-be"), "must be UTF-8, not UTF-16"),
        ('{"name": "x"}'.encode("utf-32"), "must be UTF-8, not UTF-16 or UTF-32"),
        (b'{"name": "\xe9"}', "must be UTF-8: byte 10 cannot be read"),
    ],
)
def test_json_that_cannot_be_read_is_refused(text: bytes | str, reason: str) -> None:
    assert reason in text_fault(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x 1\nb: *x", "line 1, column 4, has an anchor (&)"),
        ("a: *x", "line 1, column 4, has an alias (*)"),
        ("a: !!python/object/apply:os.system [ls]", "line 1, column 4, has a tag (!)"),
        ("a: !!str 1", "has a tag (!)"),
        ("a:\n  <<: {b: 1}", "line 2, column 3, has a merge key (<<)"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1, has the key 'a' twice"),
        ("1: a", "has a key that is not text"),
        ("? [a]\n: b", "has a key that is not text"),
        ("a: 1\n---\nb: 2", "has a second document"),
        ("a:\n\t- b", "line 2, column 1, is not YAML"),
        ("a: 'b", "is not YAML: found unexpected end of stream"),
        ("a: \x01", "has a character that YAML does not allow"),
        ("a: \ud800", "has half a surrogate pair"),
        ("[" * 100, "is nested deeper than 32 levels"),
        ("- " * 100, "is nested deeper than 32 levels"),
        ("a: &a [x, x]\n" + "".join(f"{at}: &b [*a, *a]\n" for at in "bcdefghij"), "has an anchor"),
        ("[" + "1," * 200_000 + "]", "limit 'yaml_nodes'"),
    ],
)
def test_yaml_beyond_plain_data_is_refused(text: str, reason: str) -> None:
    assert reason in text_fault(text, "yaml")


def test_yaml_words_and_dates_are_text_and_numbers_are_numbers() -> None:
    config = "{a: yes, b: on, c: 2024-01-01, d: 12:30:00, e: true, f: null, g: 0x10, h: 1e3, i: -4, j: .5, k: 1_0}"
    job = parse(f"name: x\nconfig: {config}\nstages: [{{name: s, command: [a]}}]")
    assert dict(job.config) == {
        "a": "yes",
        "b": "on",
        "c": "2024-01-01",
        "d": "12:30:00",
        "e": True,
        "f": None,
        "g": 16,
        "h": 1000.0,
        "i": -4,
        "j": 0.5,
        "k": "1_0",
    }


@pytest.mark.parametrize("number", ["9" * 4301, "-" + "9" * 4301, "0x" + "f" * 4300, "0." + "1" * 4300])
def test_yaml_numbers_of_too_many_digits_are_refused(number: str) -> None:
    assert "more than 4,300 digits" in text_fault(f"name: x\nconfig: {{x: {number}}}", "yaml")


@pytest.mark.parametrize("number", [2**53 + 1, 2**64 + 1, -(10**40), 10**4298], ids=["exact", "wide", "far", "longest"])
@pytest.mark.parametrize("key", ["config", "args", "foreach"])
def test_whole_numbers_of_users_are_exact_in_either_language(number: int, key: str) -> None:
    given = f"{{x: {number}}}" if key == "config" else f"[{number}]"
    stage = "" if key == "config" else f", {key}: {given}"
    config = f"config: {given}\n" if key == "config" else ""
    read = to_json(parse(f"name: x\n{config}stages: [{{name: s, python: 'a:b'{stage}}}]"))
    assert repr(number) in json.dumps(read)
    assert to_json(parse(json.dumps(read))) == read


@pytest.mark.parametrize("number", ["1e400", ".inf", "-.INF", ".nan"])
def test_yaml_numbers_that_json_cannot_hold_are_refused(number: str) -> None:
    with pytest.raises(InvalidSpec, match=r"config\.x: must"):
        parse(f"name: x\nconfig: {{x: {number}}}\nstages: [{{name: s, command: [a]}}]")


OUT_OF_RANGE = ["1e400", "NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize(
    ("field", "number"),
    [
        *((field, number) for field in ("config", "args") for number in OUT_OF_RANGE),
        *((field, number) for field in ("resources", "timeout", "parallelism") for number in [*OUT_OF_RANGE, "9" * 300]),
    ],
)
def test_json_numbers_out_of_range_are_refused_by_their_place(number: str, field: str) -> None:
    stage = {"name": "s", "python": "a:b"} | ({} if field == "config" else {field: ["?"] if field == "args" else {"x": "?"}})
    job = {"name": "x", "stages": [stage]} | ({"config": {"x": "?"}} if field == "config" else {})
    with pytest.raises(InvalidSpec) as refused:
        parse(json.dumps(job).replace('"?"', number))
    [fault] = refused.value.faults
    assert field in fault.path
    assert fault.reason in ("must be a finite number", "must fit in 64 bits")


def test_byte_order_mark_is_skipped() -> None:
    text = '{"name": "x", "stages": [{"name": "s", "command": ["a"]}]}'
    assert parse(b"\xef\xbb\xbf" + text.encode()) == parse(text)


@pytest.mark.parametrize("nothing", ["", "null", "# nothing", "[]", "3", "text"])
def test_documents_that_are_no_object_are_refused(nothing: str) -> None:
    assert text_fault(nothing).startswith("must be an object, not ")
