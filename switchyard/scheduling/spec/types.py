"""What a job is, as frozen values: the types that `parse` returns and that the whole core passes on.

Each field is declared once: its annotation is also what validates it and what the JSON Schema says. Calling a
constructor validates nothing; that is for code and tests which already hold good values.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from switchyard.scheduling import dag
from switchyard.scheduling.spec import fields
from switchyard.scheduling.spec.environments import Environment
from switchyard.scheduling.spec.fields import Json, Label, LabelValue, Name, ResourceMap, Seconds, ShortText, Text, Wait

STRICT = ConfigDict(extra="forbid")
SHELL = "/bin/sh"
#: Named outputs of a stage.
OUTPUTS = 100


class Exchange(StrEnum):
    """What a task gets from a stage that it needs: the results of all tasks, or of those at its place."""

    ALL = "all"
    POINTWISE = "pointwise"


class Op(StrEnum):
    """How a constraint compares a node's label."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class TypeRef:
    """The job type that a job says it is of; without a version, whichever is current."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    version: fields.Version | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A condition on the labels of a node; a node without the label satisfies only `ne`."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    label: Label
    op: Op = Op.EQ
    values: tuple[LabelValue, ...] = ()

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Return whether a node with these labels will do."""
        if self.op is Op.EXISTS:
            return self.label in labels
        return (labels.get(self.label) in self.values) is (self.op is not Op.NE)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that the job may wait for its first task, and may run from then on."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    queue: Seconds | None = None
    run: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between attempts: initial, times factor each time up to max, spread by ± jitter (a share)."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    initial: Wait = 1.0
    factor: Annotated[float, Field(strict=True, ge=1, le=100)] = 2.0
    max: Wait = 300.0
    jitter: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.1


@dataclass(frozen=True, slots=True)
class RetryOn:
    """The failures worth another attempt: these exit codes (-9: killed by signal 9), these exceptions."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    exit_codes: tuple[Annotated[int, Field(strict=True, ge=-64, le=255)], ...] = ()
    exceptions: tuple[fields.ExceptionName, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How often a task may be attempted in all, when again, and after which failures (none given: any)."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    attempts: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 1
    backoff: Backoff = Backoff()
    on: RetryOn | None = None


class CheckpointMode(StrEnum):
    """What a checkpoint says: kept and told as it is, since tasks exchange nothing while they run."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"


@dataclass(frozen=True, slots=True)
class CheckpointRule:
    """How often the states of running tasks are kept together, and how many such checkpoints; times are seconds.

    `min_pause` is between the end of one and the beginning of the next.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    interval: Annotated[float, Field(strict=True, ge=1, le=31_536_000)] = 60.0
    timeout: Annotated[float, Field(strict=True, ge=1, le=86_400)] = 600.0
    min_pause: Wait = 0.0
    max_concurrent: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    mode: CheckpointMode = CheckpointMode.EXACTLY_ONCE
    retain_on_cancel: Annotated[bool, Field(strict=True)] = False
    keep: Annotated[int, Field(strict=True, ge=1, le=100)] = 2


@dataclass(frozen=True, slots=True)
class Need:
    """A stage whose results another stage is handed; of a pointwise one, at most `buffer` may wait to be taken."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    stage: Name
    exchange: Exchange = Exchange.ALL
    buffer: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None


@dataclass(frozen=True, slots=True)
class ForeachFrom:
    """One task for each item of the lists that a stage's tasks return, in index order."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    stage: Annotated[Name, Field(alias="from")]


def _foreach_kind(value: object) -> str | None:
    if isinstance(value, list | tuple):
        return "<list>"
    return "<from>" if isinstance(value, dict | ForeachFrom) else None


def _command_kind(value: object) -> str | None:
    if isinstance(value, str):
        return "<line>"
    return "<argv>" if isinstance(value, list | tuple) else None


Foreach = Annotated[
    Annotated[tuple[Json, ...], Field(min_length=1), Tag("<list>")] | Annotated[ForeachFrom, Tag("<from>")],
    Discriminator(
        _foreach_kind,
        custom_error_type="switchyard",
        custom_error_message="must be a list of items, or {from: stage}",
    ),
]
Command = Annotated[
    Annotated[str, Field(min_length=1), Tag("<line>")] | Annotated[tuple[str, ...], Field(min_length=1), Tag("<argv>")],
    Discriminator(
        _command_kind,
        custom_error_type="switchyard",
        custom_error_message='must be a list such as ["sort", "-u"], or one text with shell: true',
    ),
]
NeedField = Annotated[Need, BeforeValidator(fields.need, json_schema_input_type=Name | Need)]
TypeField = Annotated[TypeRef, BeforeValidator(fields.type_reference, json_schema_input_type=str | TypeRef)]
ConstraintsField = Annotated[
    tuple[Constraint, ...],
    BeforeValidator(
        fields.constraint_list,
        json_schema_input_type=tuple[Constraint, ...] | dict[Label, LabelValue | tuple[LabelValue, ...]],
    ),
]


@dataclass(frozen=True, slots=True)
class File:
    """A file with more to it than its text; `base64` holds one that is no text."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    text: str | None = None
    base64: fields.Base64 | None = None
    executable: Annotated[bool, Field(strict=True)] = False

    @property
    def size(self) -> int:
        """Bytes that it has."""
        return len((self.text or "").encode()) + len(b64decode(self.base64 or ""))


def _file_kind(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<file>" if isinstance(value, File | Mapping) else None


FileField = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[File, Tag("<file>")],
    Discriminator(
        _file_kind,
        custom_error_type="switchyard",
        custom_error_message="must be a text, {text: …, executable: true}, or {base64: …}",
    ),
]


@dataclass(frozen=True, slots=True)
class Program:
    """An uploaded program that tasks find in their working folders: unpacked, or as a file of its name."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    name: fields.FileName
    unpacked: Annotated[bool, Field(strict=True)] = True


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A stage: alike tasks that run one command or one Python callable.

    `resources` counts cpus and gpus in thousandths, mem and disk in MiB; times are seconds.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    command: Command | None = None
    shell: Annotated[bool, Field(strict=True)] = False
    python: fields.Callable_ | None = None
    args: tuple[Json, ...] = ()
    kwargs: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[fields.RelativePath, FileField] = field(default_factory=dict)
    program: Program | None = None
    outputs: Annotated[Mapping[Name, fields.FilePattern], Field(max_length=OUTPUTS)] = field(default_factory=dict)
    env: Mapping[fields.Variable, str] = field(default_factory=dict)
    interpreter: ShortText | None = None
    environment: Environment | None = None
    parallelism: Annotated[int, Field(strict=True, ge=1)] | None = None
    foreach: Foreach | None = None
    resources: ResourceMap = field(default_factory=lambda: {"cpus": fields.WHOLE})
    gang: Annotated[bool, Field(strict=True)] = False
    needs: tuple[NeedField, ...] = ()
    timeout: Seconds | None = None
    grace: Wait = 10.0

    @property
    def argv(self) -> tuple[str, ...] | None:
        """What to execute, the shell included; None for a Python stage."""
        if isinstance(self.command, str):
            return (SHELL, "-c", self.command)
        return self.command

    @property
    def tasks(self) -> int | None:
        """The number of tasks; None while it depends on the results of another stage."""
        if isinstance(self.foreach, ForeachFrom):
            return None
        return (self.parallelism or 1) if self.foreach is None else len(self.foreach)

    @property
    def upstreams(self) -> tuple[Need, ...]:
        """The stages that must end first: its needs and, once, the one that foreach reads from."""
        if not isinstance(self.foreach, ForeachFrom) or any(n.stage == self.foreach.stage for n in self.needs):
            return self.needs
        return (*self.needs, Need(self.foreach.stage))


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job as it was submitted; lower priority numbers go first."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Text
    stages: Annotated[tuple[StageSpec, ...], Field(min_length=1)]
    type: TypeField | None = None
    priority: Annotated[int, Field(strict=True, ge=-1_000_000, le=1_000_000)] = 100
    pool: Name = "default"
    owner: ShortText | None = None
    labels: Mapping[Label, LabelValue] = field(default_factory=dict)
    constraints: ConstraintsField = ()
    timeouts: Timeouts = Timeouts()
    max_failures: Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)] = 0
    retry: RetryRule = RetryRule()
    checkpoint: CheckpointRule | None = None
    disconnect_grace: Wait | None = None
    config: Mapping[str, Json] = field(default_factory=dict)
    environment: Environment | None = None

    @property
    def links(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each stage's name with those of its upstreams, as `dag.build` wants them."""
        return tuple((stage.name, tuple(need.stage for need in stage.upstreams)) for stage in self.stages)

    def whole(self, stage: StageSpec) -> StageSpec:
        """Return a stage with what the job says for all stages that do not say it themselves."""
        if self.environment is None or stage.environment or stage.interpreter:
            return stage
        return replace(stage, environment=self.environment)

    def in_order(self) -> tuple[StageSpec, ...]:
        """Return the stages with producers before their consumers."""
        named = {stage.name: stage for stage in self.stages}
        return tuple(named[name] for name in dag.build(self.links).order)
