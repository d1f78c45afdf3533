"""What an agent and its workers say to each other: records in pipes and a page of shared memory. No meaning, only layout.

A record in a worker's items pipe is one task that has not begun: the worker claims it by reading it, the agent takes it
back by reading it, and the kernel lets only one of them. So "not begun" is exact, however many tasks were handed over.
"""

import struct

#: stage, attempt, index
ITEM = struct.Struct("<qii")
#: claimed so far, stage, attempt, index, begun (µs), process group of the running command (0: none)
STATUS = struct.Struct("<qqiiqq")


def pack_items(stage: int, attempt: int, indexes: list[int]) -> bytes:
    """Return the records of some tasks of one stage, in this order."""
    pack = ITEM.pack
    return b"".join([pack(stage, attempt, index) for index in indexes])


def unpack_items(data: bytes) -> list[tuple[int, int, int]]:
    """Return the tasks (stage, attempt, index) of some records."""
    return list(ITEM.iter_unpack(data))
