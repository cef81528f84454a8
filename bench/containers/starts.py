"""Start 100 image containers on the host's network through the whole stack.

From the scheduler's ACCEPT to the last TASK_RUNNING, against two baselines of the same run: a bare
loop of the same OCI runtime on the same prepared roots (target: at most 2x), and `docker run` of
the same image (target: at most 1/10). Needs root, an OCI runtime and busybox-static; and docker.io
for the second. `starts.py N` takes another number.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

import engine

from comity.core.containers import Spec
from comity.resources import text
from comity.runtime import hierarchies
from comity.runtime.containers import runtimes
from comity.runtime.containers.oci import OciContainers
from comity.runtime.containers.pods import Pods
from comity.runtime.containers.runtimes import Runtime
from comity.runtime.images.sources import Settings
from comity.runtime.images.store import ImageStore
from comity.runtime.networks.bridge import Bridge
from comity.runtime.networks.cni import Cni
from comity.runtime.networks.networks import Networks
from comity.runtime.networks.subnets import Subnets
from comity.sdk.scheduler import Scheduler
from comity.wire.mesos import resources, scheduler, v1
from comity.wire.mesos.containers import DockerImage, Image, MesosInfo, NetworkInfo
from support.kernel import Kernel

SLEEP = ("sleep", "3600")


def task(number: int, offer: v1.Offer, networks: tuple[NetworkInfo, ...] = ()) -> v1.TaskInfo:
    """Return one sleeping container."""
    image = Image(type="DOCKER", docker=DockerImage(name="busybox"))
    return v1.TaskInfo(
        name="sleep",
        task_id=v1.Id(value=f"t-{number}"),
        agent_id=offer.agent_id,
        resources=resources.write(text.parse("cpus:0.01;mem:16")),
        command=v1.CommandInfo(shell=False, value=SLEEP[0], arguments=SLEEP),
        container=v1.ContainerInfo(
            type="MESOS", mesos=MesosInfo(image=image), network_infos=networks
        ),
    )


async def through(url: str, count: int, networks: tuple[NetworkInfo, ...] = ()) -> float:
    """Return the seconds from ACCEPT to the last TASK_RUNNING, and end the tasks."""
    info = v1.FrameworkInfo(user="root", name="bench")
    start, up = 0.0, 0
    async with Scheduler(url, info) as mesos:
        async for event in mesos.events():
            if isinstance(event, scheduler.EventOffers) and not start:
                [offer] = event.offers.offers
                start = time.perf_counter()
                mesos.accept([offer], [task(n, offer, networks) for n in range(count)])
            elif isinstance(event, scheduler.EventUpdate):
                mesos.acknowledge(event.update.status)
                if event.update.status.state.is_terminal:
                    sys.exit(f"a container failed: {event.update.status.message}")
                up += event.update.status.state is v1.TaskState.RUNNING
                if up == count:
                    taken = time.perf_counter() - start
                    await mesos.teardown()
                    return taken
    raise AssertionError("the stream of events has no end")


async def whole_stack(
    directory: Path, layouts: Path, count: int, networks: tuple[NetworkInfo, ...] = ()
) -> float:
    """Measure a master and an agent; the image is unpacked before."""
    async with Kernel(directory, "--docker-registry", str(layouts)) as kernel:
        await through(kernel.master.url, 1, networks)
        return await through(kernel.master.url, count, networks)


async def prepared(containers: OciContainers, spec: Spec) -> dict[str, Any]:
    """Return the order for a container whose root is ready."""
    return await containers.order(spec, await containers.image(spec, None))


def bare(directory: Path, layouts: Path, runtime: Runtime, count: int) -> float:
    """Return the seconds that a loop of the runtime takes for roots that are prepared before."""
    images = ImageStore(directory / "images", Settings(str(layouts)))
    cgroups = hierarchies.find("bench").cgroups
    bridge = Bridge("cbench0", Subnets.read("10.199.0.0/16"), "bench")
    networks = Networks(bridge, "not wanted", Cni(None, ""), directory / "networks", is_able=False)
    pods = Pods(directory / "pods", cgroups, networks)
    containers = OciContainers(runtime, directory / "containers", images, "bench", pods, cgroups)
    orders = []
    for number in range(count):
        sandbox = directory / f"sandbox-{number}"
        sandbox.mkdir()
        name = f"bare-{number}"
        spec = Spec(
            id=name,
            sandbox=sandbox,
            image="busybox",
            cpus=0.01,
            mem_bytes=16 << 20,
            arguments=SLEEP,
        )
        orders.append(asyncio.run(prepared(containers, spec)))
    try:
        start = time.perf_counter()
        for order in orders:
            with open(order["stdout"], "wb") as out:
                subprocess.run(order["argv"], env=order["env"], stdout=out, stderr=out, check=True)
        return time.perf_counter() - start
    finally:
        for order in orders:
            pid = Path(order["pidfile"]).read_text()
            subprocess.run(["kill", "-9", pid], check=True)
            asyncio.run(containers.destroy(order["id"]))
        if cgroups is not None:
            cgroups.close()


def docker_run(count: int) -> float:
    """Return the seconds that as many `docker run` take."""
    with tempfile.TemporaryDirectory() as directory, engine.running(directory) as docker:
        run = [*docker, "run", "--detach", "--network", "host", engine.IMAGE, "/busybox", *SLEEP]
        start = time.perf_counter()
        for _ in range(count):
            subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
        taken = time.perf_counter() - start
        ids = subprocess.run([*docker, "ps", "-q"], check=True, capture_output=True, text=True)
        remove = [*docker, "rm", "--force", *ids.stdout.split()]
        subprocess.run(remove, check=True, stdout=subprocess.DEVNULL)
        return taken


def main() -> None:
    """Measure all and print the ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    runtime, reason = runtimes.find()
    if runtime is None:
        sys.exit(f"starts: {reason}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        layouts = directory / "layouts"
        subprocess.run([sys.executable, ROOT / "tools/busybox_image.py", layouts], check=True)
        own = asyncio.run(whole_stack(directory / "cluster", layouts, count))
        loop = bare(directory / "bare", layouts, runtime, count)
    print(f"starts: {count} image containers take {own / loop:.2f}x a bare loop of {runtime.name}")
    print(f"  whole stack {own:.2f} s, loop {loop:.2f} s; target: at most 2x")
    if not engine.is_there():
        print("  no second baseline: it needs root and docker.io")
        return
    theirs = docker_run(count)
    print(f"  {own / theirs:.3f}x of docker run ({theirs:.2f} s); target: at most 0.1x")


if __name__ == "__main__":
    main()
