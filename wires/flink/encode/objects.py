"""Objects that Flink's Java clients read: the cause of a failure, and the values of accumulators. Pure.

Layouts are those of the classes of 1.9 to 1.20, which agree with one another.
"""

from collections.abc import Mapping
from struct import pack
from typing import Final

from switchyard.scheduling.accumulators import Accumulator, Kind
from wires.flink.encode.java import Instance, Layout, serialized

_TEXT: Final = "Ljava/lang/String;"
_THROWABLE = Layout(
    "java.lang.Throwable",
    -3042686055658047285,
    (
        ("cause", "Ljava/lang/Throwable;"),
        ("detailMessage", _TEXT),
        ("stackTrace", "[Ljava/lang/StackTraceElement;"),
        ("suppressedExceptions", "Ljava/util/List;"),
    ),
    writes_more=True,
)
_EXCEPTION = Layout("java.lang.Exception", -3387516993124229948, above=_THROWABLE)
_SERIALIZED = Layout(
    "org.apache.flink.util.SerializedThrowable",
    7284183123441947635,
    (("fullStringifiedStackTrace", _TEXT), ("originalErrorClassName", _TEXT), ("serializedException", "[B")),
    above=_EXCEPTION,
)
_OPTIONAL = Layout("org.apache.flink.util.OptionalFailure", 1, (("failureCause", "Ljava/lang/Throwable;"),), writes_more=True)
_NUMBER = Layout("java.lang.Number", -8742448824652078965)
_INTEGER = Layout("java.lang.Integer", 1360826667806852920, (("value", "I"),), above=_NUMBER)
_LONG = Layout("java.lang.Long", 4290774380558885855, (("value", "J"),), above=_NUMBER)
_DOUBLE = Layout("java.lang.Double", -9172774392245257468, (("value", "D"),), above=_NUMBER)
_TREE = Layout("java.util.TreeMap", 919286545866124006, (("comparator", "Ljava/util/Comparator;"),), writes_more=True)
_LARGEST = {_INTEGER: 2**31, _LONG: 2**63}


def throwable(name: str, message: str, text: str) -> bytes:
    """Return an exception of a class by its name; `text` is what is printed of it."""
    return serialized(_throwable(name, message, text))


def accumulated(found: Accumulator) -> bytes:
    """Return the value of an accumulator; if Java has no number that large, the failure to tell it."""
    made = _value(found)
    if made is not None:
        return serialized(Instance(_OPTIONAL, (None,), (made,)))
    message = f"The value of {found.name} does not fit into a Java number: {found.value}"
    failure = _throwable("ArithmeticException", message, f"ArithmeticException: {message}")
    return serialized(Instance(_OPTIONAL, (failure,), (None,)))


def _throwable(name: str, message: str, text: str) -> Instance:
    # No cause, no frames of Java, nothing suppressed; and no exception of Java inside.
    return Instance(_SERIALIZED, (None, message or None, None, None, text, name, None))


def _value(found: Accumulator) -> Instance | None:
    if isinstance(found.value, Mapping):
        return _tree(found.value)
    if found.kind in (Kind.DOUBLE, Kind.AVERAGE):
        return Instance(_DOUBLE, (float(found.value),))
    return _whole(_INTEGER if found.kind is Kind.INT else _LONG, int(found.value))


def _tree(counted: Mapping[int, int]) -> Instance | None:
    """Return how often each number was added, in the order of the numbers."""
    numbers = [_whole(_INTEGER, number) for pair in sorted(counted.items()) for number in pair]
    whole = [number for number in numbers if number is not None]
    if len(whole) < len(numbers):
        return None
    return Instance(_TREE, (None,), (pack(">i", len(counted)), *whole))


def _whole(layout: Layout, number: int) -> Instance | None:
    fits = -_LARGEST[layout] <= number < _LARGEST[layout]
    return Instance(layout, (number,)) if fits else None
