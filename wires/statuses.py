"""HTTP statuses of our errors. Each wire changes this table where its documentation differs."""

from access.acting import NoLongerAllowed
from access.bodies import NotRead
from access.identifying import BadCredentials, CsrfFailed
from access.passwords import LockedOut
from access.uploads import NotOneFile
from artifacts import errors as artifacts
from jobs.commands import checkpoints, planning, programs, restoring
from jobs.commands import control as jobs
from jobs.commands.idempotency import KeyReused
from jobs.drawing.layout import NoLayout, NotDrawn
from jobs.reading.reach import NotPlaced
from jobs.store import manifests
from jobs.store.quotas import OverQuota
from jobs.store.states import NotStored
from nodes import generations
from nodes import services as nodes
from nodes.shutdown import NotFromHere
from nodes.versions import OtherVersion
from switchyard.programs.errors import BadArchive, BadEntry
from switchyard.scheduling.errors import Cyclic, InvalidSpec, SwitchyardError, TooLarge
from switchyard.scheduling.lifecycle.abandonment import OnLists
from wires.reading import NotThere, Unreadable

STATUSES: dict[type[SwitchyardError], int] = {
    Unreadable: 400,
    InvalidSpec: 400,
    Cyclic: 400,
    artifacts.WrongDigest: 400,
    NotRead: 408,
    artifacts.Gap: 409,
    BadCredentials: 401,
    CsrfFailed: 403,
    OverQuota: 403,
    planning.MayNotRun: 403,
    NoLongerAllowed: 403,
    generations.NoAgent: 403,
    NotPlaced: 403,
    NotFromHere: 403,
    NotThere: 404,
    programs.NoSuchProgram: 404,
    BadArchive: 400,
    BadEntry: 400,
    NotOneFile: 400,
    jobs.NoSuchJob: 404,
    nodes.NoSuchNode: 404,
    artifacts.NoSuchArtifact: 404,
    artifacts.Damaged: 404,
    artifacts.NotADigest: 404,
    jobs.StillLive: 409,
    jobs.HasSavepoints: 409,
    jobs.Stopping: 409,
    jobs.NotSuspendable: 409,
    checkpoints.NotRunning: 409,
    checkpoints.TooManyCheckpoints: 409,
    checkpoints.NoSuchSavepoint: 404,
    manifests.BadLocation: 400,
    restoring.Damaged: 409,
    OnLists: 409,
    jobs.NothingToRetry: 409,
    jobs.NothingToCancel: 409,
    generations.NameTaken: 409,
    generations.Occupied: 409,
    generations.SessionEnded: 409,
    OtherVersion: 409,
    nodes.Deactivated: 425,
    nodes.StillThere: 409,
    TooLarge: 413,
    artifacts.TooManyBytes: 413,
    KeyReused: 422,
    NoLayout: 422,
    NotDrawn: 422,
    LockedOut: 429,
    NotStored: 409,
    artifacts.StorageUnavailable: 503,
    artifacts.StorageFull: 507,
}
