"""Who answers names in a container of a network of its own: those who do on the machine."""

from pathlib import Path

_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The second is what systemd-resolved asks, where the first only names its own stub."""


def of_machine(files: tuple[Path, ...] = _FILES) -> dict[str, tuple[str, ...]]:
    """Return nameservers, search and options; servers on loopback cannot be reached from inside."""
    found: dict[str, tuple[str, ...]] = {}
    for path in files:
        try:
            found = _read(path.read_text(errors="replace"))
        except OSError:
            continue
        if found["nameservers"]:
            break
    return found


def _read(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {"nameservers": (), "search": (), "options": ()}
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest and not rest[0].startswith(("127.", "::1")):
            found["nameservers"] += (rest[0],)
        elif word == "search":
            found["search"] = tuple(rest)
        elif word == "options":
            found["options"] += tuple(rest)
    return found
