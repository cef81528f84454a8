"""Whole clusters whose agents have images made here."""

import contextlib
import json
from pathlib import Path

from support.clusters import Cluster
from support.images import busybox, write_layout


@contextlib.contextmanager
def image_cluster(tmp_path_factory, programs="sh echo cat sleep test true", env=(), options=()):
    """Run a cluster whose agents find the image `box`, of busybox's `programs`, in a layout."""
    layouts = tmp_path_factory.mktemp("layouts")
    write_layout(
        layouts / "box", [busybox(programs=programs.split())], {"Env": ["PATH=/bin", *env]}
    )
    made = Cluster(
        tmp_path_factory.mktemp("cluster"),
        *("--agents", "1", "--cpus", "8", "--mem", "8192", "--docker-registry", str(layouts)),
        *options,
    )
    made.layouts = layouts
    try:
        made.up()
        made.dcos("cluster", "setup", made.urls["gateway"])
        yield made
    finally:
        made.down()


def apply_pod(cluster, name, containers, labels=None, **spec):
    """Create a pod; a container that names no image is of `box`."""
    made = [{"name": "main", "image": "box", **each} for each in containers]
    given = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"containers": made, "terminationGracePeriodSeconds": 1, **spec},
    }
    cluster.kubectl("apply", "-f", "-", given=json.dumps(given))


def pod_status(cluster, name):
    """Return the status of a pod."""
    return json.loads(cluster.kubectl("get", "pod", name, "-o", "json"))["status"]


def residue(cluster):
    """Return mounts, bundles and half-done pulls of a cluster's agents; ended tasks have none."""
    work = str(cluster.work_dir)
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = [line.split()[4] for line in lines if work in line.split()[4]]
    places = ("bundles", "pulls", "runtime")
    left = [path for name in places for path in cluster.work_dir.glob(f"**/images/{name}/*")]
    return mounts + [str(path) for path in left]
