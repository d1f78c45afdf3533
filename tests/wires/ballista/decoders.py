"""What a strict client decodes: the fields of release 54.1.0 with their types; one more, one less or a null is an error."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Uint = Annotated[int, Field(ge=0, lt=2**63)]
Uint32 = Annotated[int, Field(ge=0, lt=2**32)]
Plan = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """No conversions, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ListedJob(Strict):
    job_id: str
    job_name: str
    job_status: str
    status: Literal["Queued", "Running", "Completed", "Failed", "Invalid"]
    num_stages: Uint
    completed_stages: Uint
    percent_complete: Annotated[int, Field(ge=0, le=100)]
    start_time: Uint
    end_time: Uint


class Job(ListedJob):
    logical_plan: Plan
    physical_plan: Plan
    stage_plan: Plan


class Failure(Strict):
    reason: Literal["ExecutionError", "FetchPartitionError", "IoError", "ExecutorLost", "ResultLost", "TaskKilled", "Failed"]
    error: str


class Failed(Strict):
    failure: Failure = Field(alias="Failed")


class Task(Strict):
    id: Uint
    status: Literal["Running", "Successful"] | Failed
    partition_id: Uint32
    scheduled_time: Uint
    launch_time: Uint
    start_exec_time: Uint
    end_exec_time: Uint
    exec_duration: Uint
    finish_time: Uint
    input_rows: Uint
    output_rows: Uint


class Percentiles(Strict):
    min: Uint
    p25: Uint
    median: Uint
    p75: Uint
    max: Uint


class Stage(Strict):
    stage_id: Annotated[str, Field(pattern="^[1-9][0-9]*$")]
    stage_status: Literal["Unresolved", "Resolved", "Running", "Successful", "Failed"]
    input_rows: Uint
    output_rows: Uint
    elapsed_compute: str | None
    stage_plan: Plan = "absent"
    task_duration_percentiles: Percentiles = Percentiles(min=0, p25=0, median=0, p75=0, max=0)
    task_input_percentiles: Percentiles = Percentiles(min=0, p25=0, median=0, p75=0, max=0)
    tasks: list[Task | None]


class Stages(Strict):
    stages: list[Stage]


class Measure(Strict):
    type: Literal[
        "available_memory",
        "total_memory",
        "used_memory",
        "proc_physical_memory",
        "proc_virtual_memory",
        "peak_physical_memory",
        "peak_virtual_memory",
    ]
    value: Uint


class Specification(Strict):
    task_slots: Uint32
    vcores: Uint32


class OsInfo(Strict):
    system_name: str
    kernel_ver: str
    os_ver: str
    os_ver_long: str
    physical_cores: Uint32
    num_disks: Uint32
    total_disk_space: Uint
    total_available_disk_space: Uint
    open_files_limit: Uint


class Executor(Strict):
    id: str
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    last_seen: Uint
    specification: Specification
    metrics: list[Measure]
    os_info: OsInfo


class Version(Strict):
    version: Literal["54.1.0"]
    #: What that release was built with, as its lock file says.
    datafusion_version: Literal["54.1.0"]


class State(Version):
    started: Uint
    substrait_support: bool
    keda_support: bool
    prometheus_support: bool
    graphviz_support: bool
    spark_support: bool
    scheduling_policy: Literal["pull-staged", "push-staged"]


class Cancelled(Strict):
    cancelled: Literal[True]
    canceled: Literal[True]


class Refused(Strict):
    cancelled: Literal[False]
    canceled: Literal[False]
    reason: str


class Error(Strict):
    http_code: Annotated[int, Field(ge=400, le=599)]
    reason: str
    error: str = "absent"


#: What a cancel answers by its status, and what any error says.
CANCELS: dict[int, TypeAdapter[Any]] = {200: TypeAdapter(Cancelled), 409: TypeAdapter(Refused), 404: TypeAdapter(Error)}
ERROR: TypeAdapter[Any] = TypeAdapter(Error)
#: What each JSON route answers.
SHAPES: dict[str, TypeAdapter[Any]] = {
    "/api/state": TypeAdapter(State),
    "/api/version": TypeAdapter(Version),
    "/api/executors": TypeAdapter(list[Executor]),
    "/api/executor/n1": TypeAdapter(Executor),
    "/api/jobs": TypeAdapter(list[ListedJob]),
    "/api/job/{id}": TypeAdapter(Job),
    "/api/job/{id}/stages": TypeAdapter(Stages),
    "/api/job/{id}/config": TypeAdapter(dict[str, str]),
}
