"""100 sleeping instances of one app, against `docker service create --replicas 100`, same machine.

Needs root and Debian's docker.io. The engine is started here with its own directories and stopped
again. Prints one ratio; target: at most 0.1. `replicas.py N` takes another number.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import engine

COMITY = str(Path(sys.executable).parent / "comity")
ROOT = Path(__file__).resolve().parent.parent


def marathon(count: int) -> float:
    """Return the seconds from POST to `count` running instances."""
    with tempfile.TemporaryDirectory() as directory:
        work_dir = f"{directory}/cluster"
        up = [COMITY, "up", "--detach", "--free-ports", "--cpus", "32", "--work-dir", work_dir]
        subprocess.run(up, check=True, stdout=subprocess.DEVNULL)
        try:
            status = [COMITY, "status", "--json", "--work-dir", work_dir]
            report = json.loads(subprocess.run(status, check=True, capture_output=True).stdout)
            url = next(one["url"] for one in report["components"] if one["name"] == "marathon")
            app = {"id": "/bench", "cmd": "sleep 3600", "cpus": 0.01, "mem": 8, "instances": count}
            return timed_app(url, app)
        finally:
            subprocess.run([COMITY, "down", "--work-dir", work_dir], check=True)


def timed_app(url: str, app: dict[str, object]) -> float:
    """Create an app and wait until all of it runs."""
    headers = {"Content-Type": "application/json"}
    body = json.dumps(app).encode()
    start = time.perf_counter()
    urllib.request.urlopen(urllib.request.Request(f"{url}/v2/apps", body, headers)).close()
    while True:
        with urllib.request.urlopen(f"{url}/v2/apps/bench") as answer:
            if json.load(answer)["app"]["tasksRunning"] == app["instances"]:
                return time.perf_counter() - start
        time.sleep(0.02)


def swarm(count: int) -> float:
    """Return the seconds from `docker service create` to `count` running tasks."""
    with tempfile.TemporaryDirectory() as directory, engine.running(directory) as docker:
        init = [*docker, "swarm", "init", "--advertise-addr", "127.0.0.1"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
        try:
            return timed_service(docker, count)
        finally:
            engine.quiet([*docker, "service", "rm", "bench"])
            engine.quiet([*docker, "swarm", "leave", "--force"])


def timed_service(docker: list[str], count: int) -> float:
    """Create a service and wait until all of it runs."""
    create = [*docker, "service", "create", "--detach", "--name", "bench", "--network", "host"]
    create += ["--replicas", str(count), "--stop-grace-period", "0s", engine.IMAGE]
    start = time.perf_counter()
    subprocess.run([*create, "/busybox", "sleep", "3600"], check=True, stdout=subprocess.DEVNULL)
    wanted = f"{count}/{count}"
    shown = [*docker, "service", "ls", "--format", "{{.Replicas}}"]

    def is_running() -> bool:
        found = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        return found.startswith(wanted)

    engine.until(is_running, "every replica runs")
    return time.perf_counter() - start


def main() -> None:
    """Measure both and print the ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    own = marathon(count)
    if not engine.is_there():
        print(
            f"replicas: {count} instances in {own:.2f} s; no baseline: it needs root and docker.io"
        )
        return
    theirs = swarm(count)
    print(f"replicas: {count} instances take {own / theirs:.3f}x of docker service create")
    print(f"  marathon {own:.2f} s, swarm {theirs:.2f} s; target: at most 0.1x")


main()
