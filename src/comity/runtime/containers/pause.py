"""The process that keeps a pod's PID namespace: it waits, and lets the kernel reap orphans.

A PID namespace lasts as long as its first process, so a pod that shares one needs a process which
no container's end takes along. Ours is a program of some 180 bytes, written here instruction by
instruction: it ignores SIGCHLD, so that nothing it inherits becomes a zombie, and pauses for ever.
"""

import platform
import struct
from pathlib import Path
from typing import Any

NAME = "pause"
_ADDRESS = 0x400000
_HEADERS = 64 + 56
_MACHINES = {"x86_64": 62, "aarch64": 183}
_SIG_IGN = struct.pack("<QQQQ", 1, 0, 0, 0)
"""A kernel's struct sigaction: the handler, no flags, no restorer, an empty mask."""


def can_run() -> bool:
    """Whether we have the program for this machine."""
    return platform.machine() in _MACHINES


def write(root: Path) -> None:
    """Write the program into the root file system of its container."""
    root.mkdir(parents=True, exist_ok=True)
    file = root / NAME
    file.write_bytes(program(platform.machine()))
    file.chmod(0o755)


def program(machine: str) -> bytes:
    """Return the program as an ELF file of one segment."""
    code = _x86_64() if machine == "x86_64" else _aarch64()
    size = _HEADERS + len(code)
    entry = _ADDRESS + _HEADERS
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(ident, 2, _MACHINES[machine], 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _ADDRESS, _ADDRESS, size, size, 0x1000)
    return header + segment + code


def _x86_64() -> bytes:
    start = bytes.fromhex(
        "b80d000000"  # mov eax, 13         rt_sigaction
        "bf11000000"  # mov edi, 17         SIGCHLD
        "488d3516000000"  # lea rsi, [rip+22]   _SIG_IGN, behind the code
        "31d2"  # xor edx, edx
        "41ba08000000"  # mov r10d, 8
        "0f05"  # syscall
        "b822000000"  # mov eax, 34         pause
        "0f05"  # syscall
        "ebf7"  # jmp -9, to the mov before it
    )
    return start.ljust(39, b"\x90") + _SIG_IGN


def _aarch64() -> bytes:
    words = [
        0xD28010C8,  # mov x8, #134    rt_sigaction
        0xD2800220,  # mov x0, #17     SIGCHLD
        0x10000181,  # adr x1, +48     _SIG_IGN, behind the code
        0xD2800002,  # mov x2, #0
        0xD2800103,  # mov x3, #8
        0xD4000001,  # svc #0
        0xD2800928,  # mov x8, #73     ppoll of nothing, without an end
        0xD2800000,  # mov x0, #0
        0xD2800001,  # mov x1, #0
        0xD2800002,  # mov x2, #0
        0xD2800003,  # mov x3, #0
        0xD4000001,  # svc #0
        0x17FFFFFA,  # b -24
        0xD503201F,  # nop
    ]
    return struct.pack(f"<{len(words)}I", *words) + _SIG_IGN


def configuration(root: Path, cgroup: str, namespaces: dict[str, str]) -> dict[str, Any]:
    """Return config.json of its container: nothing but the program, in the pod's namespaces."""
    joined = [{"type": kind, "path": path} for kind, path in namespaces.items()]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 65535, "gid": 65535},
            "args": [f"/{NAME}"],
            "env": [],
            "cwd": "/",
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
        ],
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "mount"}, *joined],
            "cgroupsPath": cgroup,
        },
    }
