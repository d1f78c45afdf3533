"""What an uploaded archive is: every file of it is read once, and its entry points are named."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from switchyard.programs import manifest
from switchyard.programs.archive import PIECE, Archive, Bounds, Member, checked, opened
from switchyard.programs.errors import BadArchive

JAVA_MANIFEST = "META-INF/MANIFEST.MF"
JAR, CLASS = ".jar", ".class"


@dataclass(frozen=True, slots=True)
class Inspected:
    """The text of its `switchyard.yaml`, if it has one, and the Main-Class and all classes of a jar."""

    manifest: str = ""
    main_class: str = ""
    classes: tuple[str, ...] = ()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Its entry points, the default one first."""
        named: Mapping[str, manifest.Entry] = manifest.parse(self.manifest) if self.manifest else {}
        java = [{"name": self.main_class, "description": None, "function": None}] if self.main_class else []
        return [
            *java,
            *({"name": each.name, "description": each.description, "function": each.function} for each in named.values()),
        ]


def inspect(file: IO[bytes], name: str, bounds: Bounds) -> Inspected:
    """Read an archive to its end; raises NotAnArchive or BadArchive."""
    texts, classes = {manifest.NAME: "", JAVA_MANIFEST: ""}, []
    with opened(file, name, bounds) as archive:
        for member in checked(archive, bounds):
            if name.endswith(JAR) and member.path.endswith(CLASS):
                classes.append(member.path.removesuffix(CLASS).replace("/", "."))
            if member.path in texts:
                texts[member.path] = _text(archive, member)
            else:
                with archive.open(member) as source:
                    shutil.copyfileobj(source, _Nowhere(), PIECE)
    java = _main_class(texts[JAVA_MANIFEST]) if name.endswith(JAR) else ""
    found = Inspected(texts[manifest.NAME], java, tuple(classes))
    manifest.parse(found.manifest) if found.manifest else None
    return found


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


def _text(archive: Archive, member: Member) -> str:
    if member.size > manifest.LARGEST:
        raise BadArchive(f"{member.path} has {member.size:,} bytes; at most {manifest.LARGEST:,} are accepted.")
    with archive.open(member) as source:
        try:
            return source.read().decode()
        except UnicodeDecodeError as error:
            raise BadArchive(f"{member.path} must be UTF-8: byte {error.start} cannot be read.") from error


def _main_class(text: str) -> str:
    """Return the Main-Class of a jar; a line that begins with a space goes on with the one before."""
    lines = text.replace("\r\n", "\n").replace("\n ", "").split("\n")
    found = next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("main-class:")), "")
    return found if len(found) <= 200 and found.isprintable() else ""
