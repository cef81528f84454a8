"""Whether the kernel makes what a bridge needs: tried in a namespace that goes at once."""

import ctypes
import os
import threading

from comity.runtime.networks.netlink import Netlink

_NEW_NET = 0x40000000
_BRIDGE, _MAC, _MTU = "cmtrial", b"\x02comit", 1500
_libc = ctypes.CDLL(None, use_errno=True)


def fault() -> str:
    """Return why there can be no bridge with links to it; empty when there can."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_tried()), name="trial")
    thread.start()
    thread.join()
    return found[0]


def _tried() -> str:
    if _libc.unshare(_NEW_NET) != 0:
        return f"network namespaces cannot be made: {os.strerror(ctypes.get_errno())}"
    try:
        with Netlink.here() as inside:
            what = "bridges"
            inside.add_bridge(_BRIDGE, _MTU, _MAC)
            what = "pairs of links (veth)"
            netns = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                inside.add_veth("cmtrial0", _MTU, inside.index_of(_BRIDGE), "cmtrial1", netns)
            finally:
                os.close(netns)
    except OSError as error:
        return f"the kernel makes no {what}: {error.strerror}"
    return ""
