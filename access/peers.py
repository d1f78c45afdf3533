"""Peers: the users of this machine with connections to this process, from the kernel.

A web server does not say by which connection a request came. So all of this process are looked at: a request comes from
one of their owners.
"""

import errno
import os
import socket
import struct
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")
#: From linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h.
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 4, 20, 1
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBxI")
_TOLD_UID = 16 + 4 + 48 + 12  #: Where the uid stands: after the header, four bytes, the sockets' names and three numbers.
_ANY_STATE, _NO_COOKIE = 0xFFFFFFFF, b"\xff" * 8
_SECONDS = 1.0
#: How often, and after how many seconds, it is looked again whether a connection that its owner has closed is gone.
_LOOKS, _PAUSE = 20, 0.005

Address = tuple[str, int]


def all_are_ours(ports: frozenset[int]) -> bool:
    """Say whether all who are connected to these ports of ours are the user of this process."""
    for _ in range(_LOOKS):
        found = owners(ports)
        if None not in found:
            break
        time.sleep(_PAUSE)
    return found == {os.geteuid()}


@cache
def can_ask() -> bool:
    """Say whether the kernel tells owners of connections: some lack the module for it, or forbid to ask."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        taken, _ = server.accept()
        with taken:
            return owners(frozenset({server.getsockname()[1]})) == {os.geteuid()}


def owners(ports: frozenset[int]) -> set[int | None]:
    """Return the uids of those who are connected to one of these ports of ours; None for who has closed already."""
    found: set[int | None] = set()
    with suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_SECONDS)
        for family, peer, own in _connections(ports):
            found.add(_owner(kernel, family, peer, own))
    return found


def _connections(ports: frozenset[int]) -> list[tuple[int, Address, Address]]:
    """List the connections that this process has taken, by the sender's address and ours."""
    found: list[tuple[int, Address, Address]] = []
    for descriptor in _DESCRIPTORS.iterdir():
        # Closed meanwhile, or not connected.
        with suppress(OSError), _copied(descriptor) as copy:
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.getsockname()[1] in ports:
                found.append((copy.family, copy.getpeername()[:2], copy.getsockname()[:2]))
    return found


def _copied(descriptor: Path) -> socket.socket:
    if not str(descriptor.readlink()).startswith("socket:"):
        raise OSError(errno.ENOTSOCK, str(descriptor))
    return socket.socket(fileno=os.dup(int(descriptor.name)))


def _owner(kernel: socket.socket, family: int, peer: Address, own: Address) -> int | None:
    """Ask whose socket the peer's is; nobody's if it is closed."""
    names = [socket.inet_pton(family, host).ljust(16, b"\0") for host, _ in (peer, own)]
    wanted = _ASKED.pack(family, socket.IPPROTO_TCP, 0, _ANY_STATE) + struct.pack(">HH", peer[1], own[1])
    wanted += b"".join(names) + struct.pack("=I", 0) + _NO_COOKIE
    kernel.send(_HEADER.pack(_HEADER.size + len(wanted), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0) + wanted)
    told = kernel.recv(4096)
    if _HEADER.unpack_from(told)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    uid, inode = struct.unpack_from("=II", told, _TOLD_UID)
    return uid if inode else None
