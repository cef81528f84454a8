"""Namespaces without a process in them: pinned by binding their files, until they are unpinned.

They are made by a thread that leaves ours for new ones and then ends: no helper process, and the
agent itself stays where it is.
"""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from comity.runtime.containers import kernel

_FLAGS = {"net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000}
_NSFS_MAGIC = 0x6E736673
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


def pin(directory: Path, kinds: tuple[str, ...], inside: Callable[[], None]) -> None:
    """Make new namespaces and keep them as files named by kind; call `inside` within them.

    Raises:
        OSError: the kernel refuses; nothing stays.
    """
    directory.mkdir(parents=True, exist_ok=True)
    faults: list[OSError] = []

    def make() -> None:
        try:
            if _libc.unshare(sum(_FLAGS[kind] for kind in kinds)) != 0:
                number = ctypes.get_errno()
                raise OSError(number, f"unshare: {os.strerror(number)}")
            inside()
            for kind in kinds:
                file = directory / kind
                file.touch()
                kernel.bind(f"/proc/thread-self/ns/{kind}", file)
        except OSError as error:
            faults.append(error)

    thread = threading.Thread(target=make, name="namespaces")
    thread.start()
    thread.join()
    if faults:
        unpin(directory)
        raise faults[0]


def unpin(directory: Path) -> None:
    """Let go of namespaces; those that processes still use stay until they end."""
    for kind in _FLAGS:
        file = directory / kind
        if file.exists():
            kernel.unmount(file)
            file.unlink()


def pinned(directory: Path) -> dict[str, str]:
    """Return the files of the namespaces that are pinned there since the last boot, by kind."""
    found = {}
    for kind in _FLAGS:
        file = directory / kind
        if is_pinned(file):
            found[kind] = str(file)
    return found


def is_pinned(file: Path) -> bool:
    """Return whether a file is a namespace, pinned since the last boot."""
    # struct statfs begins with the file system's type, of the machine's word.
    buffer = ctypes.create_string_buffer(256)
    if _libc.statfs(str(file).encode(), buffer) != 0:
        return False
    return int(struct.unpack_from("l", buffer)[0]) == _NSFS_MAGIC


def prepare(hostname: str, sysctls: Mapping[str, str], kinds: tuple[str, ...]) -> None:
    """Set what new namespaces begin with; called within them.

    Raises:
        OSError: a setting of the kernel does not exist, or does not take the value.
    """
    if "net" in kinds:
        _raise_loopback()
    if "uts" in kinds and hostname:
        socket.sethostname(hostname)
    for name, value in sysctls.items():
        Path("/proc/sys", *name.split(".")).write_text(value)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = bytearray(struct.pack("16sh22x", b"lo", 0))
        fcntl.ioctl(control, _SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("h", request, 16)
        struct.pack_into("h", request, 16, flags | _IFF_UP)
        fcntl.ioctl(control, _SIOCSIFFLAGS, request)
