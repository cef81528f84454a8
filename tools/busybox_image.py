"""Make an OCI image from Debian's busybox-static: `busybox_image.py DIR` writes DIR/busybox.

The demo, the tests and the bench need an image and no registry is at hand, so this makes the
smallest useful one: a single static program under all its names.
"""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

BUSYBOX = Path("/bin/busybox")
FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "var")


def rootfs_layer() -> bytes:
    """Return the image's one layer as a tar."""
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for folder in FOLDERS:
            add(archive, folder, tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
        add(archive, "bin/busybox", content=BUSYBOX.read_bytes(), mode=0o755)
        for name in sorted(set(names.stdout.split()) - {"busybox"}):
            add(archive, f"bin/{name}", tarfile.SYMTYPE, target="busybox", mode=0o777)
        add(archive, "etc/passwd", content=b"root:x:0:0:root:/root:/bin/sh\n")
        add(archive, "etc/group", content=b"root:x:0:\n")
    return out.getvalue()


def add(
    archive: tarfile.TarFile,
    name: str,
    kind: bytes = tarfile.REGTYPE,
    *,
    content: bytes = b"",
    target: str = "",
    mode: int = 0o644,
) -> None:
    """Add one entry, owned by root and without a time, so that the image is reproducible."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), target
    archive.addfile(entry, io.BytesIO(content))


def write_layout(layout: Path) -> None:
    """Write the OCI layout of the image."""
    layer = rootfs_layer()
    packed = gzip.compress(layer, mtime=0)
    config: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    }
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(layout, document(config), "application/vnd.oci.image.config.v1+json"),
        "layers": [blob(layout, packed, "application/vnd.oci.image.layer.v1.tar+gzip")],
    }
    entry = blob(layout, document(manifest), manifest["mediaType"])
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (layout / "index.json").write_bytes(document({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_bytes(document({"imageLayoutVersion": "1.0.0"}))


def blob(layout: Path, content: bytes, media_type: str) -> dict[str, Any]:
    """Store a blob and return its descriptor."""
    name = digest(content)
    path = layout / "blobs" / name.replace(":", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": media_type, "digest": name, "size": len(content)}


def digest(content: bytes) -> str:
    """Name content by its hash."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def document(value: dict[str, Any]) -> bytes:
    """Encode a JSON document."""
    return json.dumps(value, indent=1).encode()


def main(argv: list[str]) -> int:
    """Run the command line."""
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    if not BUSYBOX.exists():
        print("busybox_image.py: install busybox-static first", file=sys.stderr)
        return 1
    write_layout(Path(argv[0]) / "busybox")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
