"""Fixtures that several kinds of test share: whole clusters, and the clients that drive them."""

import hypothesis
import pytest

from support.clusters import CLIENTS, KUBECTL, Cluster, eventually

CLUSTER_TEST_S = 400

# Machines are shared: how long an example takes says nothing.
hypothesis.settings.register_profile("comity", deadline=None)
hypothesis.settings.load_profile("comity")


def pytest_collection_modifyitems(items):
    """Mark the tests that start clusters, so that `-m 'not e2e'` leaves them out."""
    for item in items:
        if "/e2e/" in str(item.path) or "/faults/" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(CLUSTER_TEST_S))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Give a cluster of two agents with room for everything a module's tests want."""
    made = Cluster(tmp_path_factory.mktemp("cluster"), "--cpus", "8", "--mem", "8192")
    try:
        made.up()
        made.dcos("cluster", "setup", made.urls["gateway"])
        yield made
    finally:
        made.down()


@pytest.fixture(scope="session")
def clients():
    """Give the directory of the third-party clients' programs."""
    if not (CLIENTS / "python").exists() or not KUBECTL.exists():
        pytest.skip("the third-party clients are not here; `make clients` fetches them")
    return CLIENTS


@pytest.fixture(scope="module")
def kubernetes(cluster, clients):
    """Install Kubernetes by one command; give the cluster when kubectl reaches it."""
    cluster.dcos("package", "install", "kubernetes", "--yes")
    eventually(lambda: cluster.running("kubernetes"), "the control plane runs as a task")
    config = str(cluster.home / ".kube" / "config")
    written = ("kubernetes", "kubeconfig", "--output", config)
    eventually(lambda: cluster.dcos(*written) or True, "the kubeconfig is written")
    eventually(lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok", "the API is ready")
    return cluster
