"""`kubectl logs` as people type it, on pods whose logs rotate as with a kubelet's defaults."""

import itertools
import re
import subprocess

import pytest

from support.clusters import KUBECTL, eventually

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: several, labels: {app: x}}
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
  - {name: init, image: host, command: [sh, -c, 'echo from init']}
  containers:
  - {name: a, image: host, command: [sh, -c, 'echo from a; exec sleep 3600']}
  - {name: b, image: host, command: [sh, -c, 'echo from b; exec sleep 3600']}
---
apiVersion: v1
kind: Pod
metadata: {name: fails, labels: {app: x}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: host, command: [sh, -c, 'seq 1999999; date +last-%s%N; exit 3']}
---
apiVersion: v1
kind: Pod
metadata: {name: quick}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: host
    command:
    - sh
    - -c
    - |
      echo first
      while [ ! -e go ]; do sleep 0.05; done
      for part in 1 2 3; do seq ${part}000000 ${part}999999; sleep 1.1; done
      echo last
      exec sleep 3600
"""
QUICK = ["first", *map(str, range(1_000_000, 4_000_000)), "last"]


@pytest.fixture(scope="module")
def pods(kubernetes):
    kubernetes.kubectl("apply", "-f", "-", given=PODS)
    ready = ("wait", "--for=condition=Ready", "--timeout=60s")
    kubernetes.kubectl(*ready, "pod/several", "pod/quick")
    return kubernetes


@pytest.fixture(scope="module")
def quick(pods):
    """Give the cluster after 24 MB were written and followed."""
    with subprocess.Popen(
        [str(KUBECTL), "logs", "--follow", "quick"], stdout=subprocess.PIPE, env=pods.environment
    ) as child:
        try:
            assert child.stdout.readline() == b"first\n"
            pods.kubectl("exec", "quick", "--", "touch", "go")
            lines = (line.decode().rstrip("\n") for line in child.stdout)
            for found, wanted in zip(lines, itertools.islice(QUICK, 1, None), strict=False):
                assert found == wanted
                if found == "last":
                    return pods
            raise AssertionError("the log ended")
        finally:
            child.kill()


def test_a_log_is_rotated_and_read_whole(quick):
    names = [each.name for each in quick.work_dir.glob("**/stdout.*")]
    assert "stdout.1" in names
    assert len(names) <= 2 * 4  # the four old ones of each of two containers
    assert quick.kubectl("logs", "quick").splitlines() == QUICK


def test_a_part_of_a_log(quick):
    def logs(*options):
        return quick.kubectl("logs", "quick", *options)

    assert logs("--tail=3").splitlines() == QUICK[-3:]
    assert logs("--tail=2000000").splitlines() == QUICK[-2_000_000:]
    assert logs("--limit-bytes=20") == "\n".join(QUICK)[:20]
    assert logs("--since=1h").splitlines() == QUICK
    assert logs("--since-time=2100-01-01T00:00:00Z") == ""
    stamped = [line.split(" ") for line in logs("--timestamps", "--tail=1000001").splitlines()]
    assert [text for _, text in stamped] == QUICK[-1_000_001:]
    times = [time for time, _ in stamped]
    assert times == sorted(times)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", times[0])
    assert times[-1] > times[0]


def test_several_containers_and_pods(pods):
    assert pods.kubectl("logs", "several", "-c", "init") == "from init\n"
    assert pods.kubectl("logs", "several") == "from a\n"  # the first, as kubectl says on stderr
    listed = pods.kubectl("logs", "several", "--all-containers").splitlines()
    assert sorted(listed) == ["from a", "from b", "from init"]
    listed = pods.kubectl("logs", "-l", "app=x", "--all-containers", "--prefix", "--tail=1")
    assert "[pod/several/a] from a\n" in listed
    assert "[pod/several/init] from init\n" in listed
    assert "[pod/fails/main] " in listed


def test_the_previous_container(pods):
    def restarts():
        path = "jsonpath={.status.containerStatuses[0].restartCount}"
        return int(pods.kubectl("get", "pod", "fails", "-o", path))

    eventually(lambda: restarts() >= 1, "it was started again")
    previous = pods.kubectl("logs", "fails", "--previous").splitlines()
    assert previous[:-1] == [str(number) for number in range(1, 2_000_000)]
    last = re.fullmatch(r"last-(\d+)", previous[-1])
    eventually(lambda: "last-" in pods.kubectl("logs", "fails", "--tail=1"), "the next one wrote")
    [newer] = pods.kubectl("logs", "fails", "--tail=1").splitlines()
    assert int(newer.removeprefix("last-")) > int(last[1])
    stamped = pods.kubectl("logs", "fails", "--previous", "--timestamps", "--tail=1")
    assert stamped.startswith("20")
    with pytest.raises(AssertionError, match="previous terminated container"):
        pods.kubectl("logs", "several", "--previous")
