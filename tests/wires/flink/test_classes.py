"""The class of an error, from the texts that agents report."""

import traceback

import pytest

from wires.flink.encode.classes import UNNAMED, class_of, described


class Odd(Exception):
    """An exception of a module of its own."""


def text(error: BaseException) -> str:
    """Return an exception as agents report it."""
    try:
        raise error
    except BaseException as raised:
        return "".join(traceback.format_exception(raised))


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("no"), "ValueError"),
        (AssertionError(), "AssertionError"),
        (ValueError("bad rows:\n  row: 1\nrow: 2"), "ValueError"),
        (Odd("x"), f"{__name__}.Odd"),
        (TimeoutError("Traceback (most recent call last):"), "TimeoutError"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_exception_has_its_class(error: BaseException, name: str) -> None:
    assert class_of(text(error)) == name
    assert class_of(f"task 0 of stage a failed: {text(error)}") == name


def test_of_a_chain_it_is_the_last() -> None:
    last = KeyError("a")
    last.__cause__ = ValueError("b")
    assert class_of(text(last)) == "KeyError"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("RuntimeError: boom", "RuntimeError"),
        ("task 1 of stage a: b failed: a.B: no", "a.B"),
        ("…\n    raise X\nKeyError: 'x'", "KeyError"),
        ("sh: foo: not found", UNNAMED),
        ("its process exited with 9", UNNAMED),
        ("", UNNAMED),
    ],
)
def test_without_a_traceback_it_is_a_word_like_a_class(error: str, name: str) -> None:
    assert class_of(error) == name


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (text(ValueError("bad rows:\n  row: 1\nValueError: 2")), ("ValueError", "bad rows:\n  row: 1\nValueError: 2")),
        (text(AssertionError()), ("AssertionError", "")),
        ("task 1 of stage a failed: KeyError: 'x'", ("KeyError", "'x'")),
        (
            "task 1 of stage a failed: its process exited with 9\n",
            (UNNAMED, "task 1 of stage a failed: its process exited with 9"),
        ),
    ],
)
def test_what_follows_the_class_is_the_message(error: str, said: tuple[str, str]) -> None:
    assert described(error) == said
