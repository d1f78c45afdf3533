"""Streams of Java, read by the grammar of the Java Object Serialization Specification: what our answers are checked by."""

from dataclasses import dataclass, field
from io import BytesIO
from struct import calcsize, unpack
from typing import Any

FORMATS = {"B": ">b", "D": ">d", "F": ">f", "I": ">i", "J": ">q", "S": ">h", "Z": ">?"}


@dataclass
class Class:
    """A class as a stream describes it."""

    name: str
    flags: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    above: "Class | None" = None


@dataclass
class Read:
    """An object that was read: its fields, and what its class wrote after them."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    more: list[Any] = field(default_factory=list)


END = object()


def read(stream: bytes) -> Any:
    """Return the one value of a stream."""
    reader = Reader(stream)
    assert reader.take(4) == b"\xac\xed\x00\x05"
    found = reader.value()
    assert reader.stream.read() == b"", "there is more"
    return found


class Reader:
    """Reads a stream."""

    def __init__(self, stream: bytes) -> None:
        self.stream, self.handles = BytesIO(stream), list[Any]()

    def take(self, size: int) -> bytes:
        found = self.stream.read(size)
        assert len(found) == size, "the stream is cut"
        return found

    def number(self, kind: str) -> Any:
        return unpack(kind, self.take(calcsize(kind)))[0]

    def value(self) -> Any:
        kind = self.number(">B")
        readers = {0x71: self.reference, 0x72: self.a_class, 0x73: self.an_object, 0x74: self.text, 0x7C: self.long_text}
        match kind:
            case 0x70:
                return None
            case 0x77:
                return self.take(self.number(">B"))
            case 0x78:
                return END
        return readers[kind]()

    def reference(self) -> Any:
        return self.handles[self.number(">i") - 0x7E0000]

    def text(self) -> str:
        return str(self.known(decoded(self.take(self.number(">H")))))

    def long_text(self) -> str:
        return str(self.known(decoded(self.take(self.number(">q")))))

    def known(self, value: Any) -> Any:
        self.handles.append(value)
        return value

    def a_class(self) -> Class:
        name, _ = decoded(self.take(self.number(">H"))), self.number(">q")
        found: Class = self.known(Class(name))
        found.flags = self.number(">B")
        found.fields = [self.declared() for _ in range(self.number(">h"))]
        assert self.value() is END
        found.above = self.value()
        return found

    def declared(self) -> tuple[str, str]:
        kind, name = chr(self.number(">B")), decoded(self.take(self.number(">H")))
        return name, kind if kind in FORMATS else self.value()

    def an_object(self) -> Read:
        described = self.value()
        found: Read = self.known(Read(described.name))
        self.fill(found, described)
        return found

    def fill(self, found: Read, described: Class) -> None:
        if described.above is not None:
            self.fill(found, described.above)
        for name, kind in described.fields:
            found.fields[name] = self.number(FORMATS[kind]) if kind in FORMATS else self.value()
        if described.flags & 1:
            found.more += iter(self.value, END)


def decoded(text: bytes) -> str:
    """Return a text of Java's UTF-8."""
    units = text.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    return units.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")
