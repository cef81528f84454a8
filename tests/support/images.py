"""Images made here, for tests: OCI layouts of busybox, and what containers leave behind."""

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from comity.runtime.containers import runtimes
from comity.wire.mesos import v1
from comity.wire.mesos.containers import DockerImage, Image, MesosInfo

BUSYBOX = shutil.which("busybox")

MARKS = [
    pytest.mark.root,
    pytest.mark.images,
    pytest.mark.skipif(os.geteuid() != 0, reason="image containers need root"),
    pytest.mark.skipif(runtimes.find()[0] is None, reason="no OCI runtime is installed"),
    pytest.mark.skipif(BUSYBOX is None, reason="busybox-static is not installed"),
]
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:Web:/srv/web:/bin/sh\n"
GROUP = b"root:x:0:\nweb:x:1001:\nlogs:x:1002:web,other\n"


def layer(entries):
    """Return a tar file of (name, content or link target, type) entries."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content, kind in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, 0o755
            if kind == tarfile.REGTYPE:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            else:
                entry.linkname = content.decode()
                tar.addfile(entry)
    return data.getvalue()


def write_layout(directory, layers, config=None):
    """Write an OCI layout whose image is tagged `latest`."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    kind = "application/vnd.oci.image.manifest.v1+json"
    document = {"config": config or {}, "os": "linux", "architecture": "amd64"}
    manifest = {
        "schemaVersion": 2,
        "config": put(json.dumps(document).encode()),
        "layers": [put(data) for data in layers],
    }
    entry = {"mediaType": kind, **put(json.dumps(manifest).encode())}
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def write_saved(path, name, layers, config=None):
    """Write what `docker save NAME` would."""
    document = {"config": config or {}, "os": "linux", "architecture": "amd64"}
    files = {f"{number}/layer.tar": data for number, data in enumerate(layers)}
    listed = [{"Config": "config.json", "RepoTags": [name], "Layers": list(files)}]
    files["config.json"] = json.dumps(document).encode()
    files["manifest.json"] = json.dumps(listed).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(layer([(name, data, tarfile.REGTYPE) for name, data in files.items()]))


def busybox(*more, programs=("sh", "echo", "cat", "ls", "sleep", "test", "true", "id", "touch")):
    """Return a layer with busybox, users, and further entries; `programs` are names of it."""
    links = [(f"bin/{name}", b"busybox", tarfile.SYMTYPE) for name in programs]
    return layer(
        [
            ("bin", b"", tarfile.DIRTYPE),
            ("bin/busybox", Path(BUSYBOX).read_bytes(), tarfile.REGTYPE),
            *links,
            ("etc", b"", tarfile.DIRTYPE),
            ("etc/passwd", PASSWD, tarfile.REGTYPE),
            ("etc/group", GROUP, tarfile.REGTYPE),
            *more,
        ]
    )


def left_behind(directory):
    """Return the mounts and cgroups of the agent of a directory."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = [line.split()[4] for line in lines if str(directory) in line.split()[4]]
    agent = hashlib.sha256(str(directory / "a").encode()).hexdigest()[:12]
    places = (f"*/comity*/{agent}*", f"comity*/{agent}*")  # of version 1, and of version 2 alone
    return mounts + [str(path) for one in places for path in Path("/sys/fs/cgroup").glob(one)]


def image(name, container=None, **command):
    """Return the fields of a task whose container is of an image."""
    mesos = MesosInfo(image=Image(type="DOCKER", docker=DockerImage(name=name)))
    made = v1.ContainerInfo(type="MESOS", mesos=mesos, **(container or {}))
    return {"container": made, "command": v1.CommandInfo(**command)}


def output(kernel, task, name="stdout"):
    """Return what a task wrote."""
    (path,) = kernel.directory.glob(f"a/slaves/*/frameworks/*/executors/{task}/runs/latest/{name}")
    return path.read_text()
