"""Java objects as bytes, by the Java Object Serialization Specification (stream protocol 2, version 5). Pure.

It writes what Flink's Java clients read: texts, numbers in fields, and objects of classes whose layout is given.
"""

import re
from dataclasses import dataclass
from struct import pack

_MAGIC = b"\xac\xed\x00\x05"
#: What follows in a stream.
_NULL, _REFERENCE, _LAYOUT, _OBJECT, _TEXT = b"\x70", b"\x71", b"\x72", b"\x73", b"\x74"
_BLOCK, _END, _LONG_TEXT = b"\x77", b"\x78", b"\x7c"
#: Of a class: that it is serializable; that its own method writes more than its fields.
_SERIALIZABLE, _WRITES_MORE = 2, 1
_FIRST_HANDLE = 0x7E0000
#: The longest text whose length is told in two bytes.
_SHORT = 0xFFFF
#: Primitive types, by the letter that names them.
_PRIMITIVES = {"I": ">i", "J": ">q", "D": ">d"}
_TWO_UNITS = re.compile("[\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Layout:
    """A class: its fields by name and type, in the order of a stream, which has primitive types first, then names."""

    name: str
    uid: int
    fields: tuple[tuple[str, str], ...] = ()
    above: "Layout | None" = None
    writes_more: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """An object: the values of its fields, those of its topmost class first, and what its own method writes after them.

    Bytes among the latter are data of that method, at most 255 at once.
    """

    layout: Layout
    values: tuple["Instance | str | float | None", ...] = ()
    more: tuple["Instance | str | bytes | None", ...] = ()


def serialized(made: Instance) -> bytes:
    """Return the stream of one object."""
    return _MAGIC + _Stream().value(made)


class _Stream:
    """A stream that is written: what stands in it already is referred to by a number, its handle."""

    def __init__(self) -> None:
        self._used = 0
        self._handles: dict[Layout | str, int] = {}

    def value(self, value: Instance | str | None) -> bytes:
        """Return what stands for an object, a text or a null."""
        if value is None:
            return _NULL
        return self._text(value) if isinstance(value, str) else self._object(value)

    def _object(self, made: Instance) -> bytes:
        head = _OBJECT + self._layout(made.layout)
        self._take()
        values = iter(made.values)
        return head + b"".join(
            b"".join(self._field(kind, next(values)) for _, kind in layout.fields) + self._more(layout, made)
            for layout in _from_the_top(made.layout)
        )

    def _more(self, layout: Layout, made: Instance) -> bytes:
        if not layout.writes_more:
            return b""
        return b"".join(_block(each) if isinstance(each, bytes) else self.value(each) for each in made.more) + _END

    def _field(self, kind: str, value: Instance | str | float | None) -> bytes:
        return pack(_PRIMITIVES[kind], value) if isinstance(value, int | float) else self.value(value)

    def _layout(self, layout: Layout | None) -> bytes:
        if layout is None:
            return _NULL
        if layout in self._handles:
            return _REFERENCE + pack(">i", self._handles[layout])
        head = _LAYOUT + _utf(layout.name) + pack(">q", layout.uid)
        self._handles[layout] = self._take()
        flags = _SERIALIZABLE | (_WRITES_MORE if layout.writes_more else 0)
        fields = b"".join(self._declared(name, kind) for name, kind in layout.fields)
        return head + pack(">BH", flags, len(layout.fields)) + fields + _END + self._layout(layout.above)

    def _declared(self, name: str, kind: str) -> bytes:
        told = kind[0].encode() + _utf(name)
        return told if kind in _PRIMITIVES else told + self._text(kind)

    def _text(self, text: str) -> bytes:
        if text in self._handles:
            return _REFERENCE + pack(">i", self._handles[text])
        self._handles[text] = self._take()
        written = _modified(text)
        length = _TEXT + pack(">H", len(written)) if len(written) <= _SHORT else _LONG_TEXT + pack(">q", len(written))
        return length + written

    def _take(self) -> int:
        self._used += 1
        return _FIRST_HANDLE + self._used - 1


def _from_the_top(layout: Layout) -> list[Layout]:
    return [*(_from_the_top(layout.above) if layout.above else []), layout]


def _block(written: bytes) -> bytes:
    return _BLOCK + pack(">B", len(written)) + written


def _utf(text: str) -> bytes:
    written = _modified(text)
    return pack(">H", len(written)) + written


def _modified(text: str) -> bytes:
    """Return a text in Java's UTF-8: a NUL in two bytes, and characters of two UTF-16 units as these two."""
    return _TWO_UNITS.sub(_units, text).encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")


def _units(found: re.Match[str]) -> str:
    above = ord(found[0]) - 0x10000
    return chr(0xD800 + (above >> 10)) + chr(0xDC00 + (above & 0x3FF))
