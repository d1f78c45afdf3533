"""Environments: the packages and the Python that a stage's tasks run with, built on the nodes.

What is written here is passed to an installer on the nodes as it stands: packages by name, version and address, and nothing
that would mean something else on each machine, such as a local path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

#: Python versions that run tasks which are callables: the agent's own code is loaded there.
OLDEST = (3, 11)
#: Requirements of one environment, and characters of one.
MOST, LONGEST = 1_000, 2_000
PYTHON_PATTERN = r"^3\.[0-9]{1,2}(\.[0-9]{1,3})?$"

_COMMENT = re.compile(r"(^|\s)#.*")
_HASH = re.compile(r"\s--hash[= ]\S+")
#: Options that a lock may have: where packages come from, and which of their files are taken.
_OPTION = re.compile(
    r"(--index-url|--extra-index-url|-i|--find-links|-f|--no-index|--trusted-host|--pre|--prefer-binary|--only-binary"
    r"|--no-binary|--require-hashes)([= ].*|$)"
)
_LOCAL = re.compile(r"\s*([./~]|file:|[A-Za-z]:\\|[^@]*\.(whl|zip|tar\.gz|txt)\s*$)")


def _fault(reason: str) -> PydanticCustomError:
    return PydanticCustomError("switchyard", "{reason}", {"reason": reason})


def requirement(text: str) -> str:
    """Return `text` if it is a requirement of a package as pip and uv read it, such as "numpy>=2,<3"."""
    shown = repr(text if len(text) <= 60 else f"{text[:50]}…")
    if len(text) > LONGEST or not text.isprintable():
        raise _fault(f"{shown} must be printable, with at most {LONGEST:,} characters")
    if text.lstrip().startswith("-"):
        raise _fault(f"{shown} is an option; options go into a lock, or into SWITCHYARD_PIP_ARGS of the agents")
    if _LOCAL.match(text):
        raise _fault(
            f"{shown} is a local file, which nodes do not have; name a package, or give its address: 'name @ https://…'"
        )
    try:
        parsed = Parsed(text)
    except InvalidRequirement as error:
        why = str(error).partition("\n")[0]
        raise _fault(f"{shown} is no requirement such as 'numpy>=2,<3': {why}") from None
    if parsed.url and parsed.url.startswith("file:"):
        raise _fault(f"{shown} is a local file, which nodes do not have")
    return text


def lock(text: str) -> str:
    """Return `text` if it is a list of requirements and where they come from, as `pip freeze` and `uv export` write it."""
    if re.search(r"^\s*(lock-version|version)\s*=", text, re.MULTILINE):
        raise _fault('must be a list of requirements, not TOML: write it by "uv export" or "pip freeze"')
    found = False
    for number, line in _lines(text):
        if _OPTION.fullmatch(line):
            continue
        try:
            requirement(_HASH.sub("", line).strip())
        except PydanticCustomError as error:
            raise _fault(f"line {number}: {error.message()}") from None
        found = True
    if not found:
        raise _fault("must name at least one package")
    return text


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with something in them, each with its number; one that is continued is a single line."""
    begun, whole = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        whole += line.removesuffix("\\")
        if not line.endswith("\\"):
            if plain := _COMMENT.sub("", whole).strip():
                yield begun, plain
            begun, whole = number + 1, ""
    if whole.strip():
        yield begun, whole.strip()


Requirement = Annotated[str, Field(min_length=1), AfterValidator(requirement)]
Lock = Annotated[str, Field(min_length=1), AfterValidator(lock)]


@dataclass(frozen=True, slots=True)
class Environment:
    """Packages, by requirements or by a lock, and the version of Python; without a version, that of the agent."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    requirements: Annotated[tuple[Requirement, ...], Field(max_length=MOST)] = ()
    lock: Lock | None = None
    python: Annotated[str, Field(pattern=PYTHON_PATTERN)] | None = None

    @property
    def is_old(self) -> bool:
        """Whether its Python is too old for tasks that are callables."""
        return self.python is not None and tuple(map(int, self.python.split(".")[:2])) < OLDEST
