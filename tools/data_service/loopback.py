"""Closes the listening sockets of this process to other machines.

TensorFlow's data service listens on all interfaces, and lets nobody choose. So the kernel drops
what comes to these sockets from elsewhere: a filter on a listening socket sees every packet before
TCP does, and connections inherit it.
"""

import contextlib
import ctypes
import os
import socket
import stat
import struct
from collections.abc import Iterator

from pipelines.format.errors import LonghaulError

_SO_ATTACH_FILTER = 26
_NETWORK_HEADER = 0xFFF00000  # SKF_NET_OFF: offsets count from the start of the IP header.
_LOAD_BYTE, _LOAD_WORD, _AND, _IF_EQUAL, _RETURN = 0x30, 0x20, 0x54, 0x15, 0x06
_KEEP, _DROP = 0xFFFFFFFF, 0
# Classic BPF: (operation, jump if true, jump if false, value). Jumps skip instructions.
_FROM_LOOPBACK = [
    (_LOAD_BYTE, 0, 0, _NETWORK_HEADER),
    (_AND, 0, 0, 0xF0),
    (_IF_EQUAL, 0, 3, 0x40),  # IPv4: a source in 127.0.0.0/8.
    (_LOAD_WORD, 0, 0, _NETWORK_HEADER + 12),
    (_AND, 0, 0, 0xFF000000),
    (_IF_EQUAL, 8, 9, 0x7F000000),
    (_LOAD_WORD, 0, 0, _NETWORK_HEADER + 8),  # IPv6: the source ::1.
    (_IF_EQUAL, 0, 7, 0),
    (_LOAD_WORD, 0, 0, _NETWORK_HEADER + 12),
    (_IF_EQUAL, 0, 5, 0),
    (_LOAD_WORD, 0, 0, _NETWORK_HEADER + 16),
    (_IF_EQUAL, 0, 3, 0),
    (_LOAD_WORD, 0, 0, _NETWORK_HEADER + 20),
    (_IF_EQUAL, 0, 1, 1),
    (_RETURN, 0, 0, _KEEP),
    (_RETURN, 0, 0, _DROP),
]


def close_to_others() -> None:
    """Makes all listening sockets of this process take connections of this machine alone.

    Raises:
      LonghaulError: where the system cannot do it.
    """
    code = b''.join(struct.pack('HBBI', *instruction) for instruction in _FROM_LOOPBACK)
    kept = ctypes.create_string_buffer(code)
    program = struct.pack('HP', len(_FROM_LOOPBACK), ctypes.addressof(kept))
    for listening in _listening():
        try:
            listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        except OSError as error:
            raise LonghaulError(
                f'this system cannot close a port to other machines ({error}); add --open, in a '
                'network that you trust alone'
            ) from error


def _listening() -> Iterator[socket.socket]:
    for name in os.listdir('/proc/self/fd'):
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            # A copy: closing it leaves the socket open.
            with socket.socket(fileno=os.dup(int(name))) as found:
                internet = found.family in (socket.AF_INET, socket.AF_INET6)
                if internet and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    yield found
