"""The controllers' shell against a small API server over HTTP."""

import asyncio
import contextlib

import pytest

from comity.kube.controllers import shell
from support.kube_api import FakeKubeApi, status


@contextlib.asynccontextmanager
async def controllers(url):
    stop = asyncio.Event()
    running = asyncio.create_task(shell.run(url, "token", "CA", stop))
    try:
        yield running
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


@pytest.fixture
async def api():
    async with FakeKubeApi().serving() as found:
        metadata = {"name": "default"}
        found.store("namespaces", {"metadata": metadata, "spec": {"finalizers": ["kubernetes"]}})
        yield found


def deployment(replicas=2, image="i:1"):
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    }


def pods(api):
    return list(api.objects["pods"].values())


def start(api):
    """Let all pods run, as the kubelet would say it."""
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    told = {"phase": "Running", "podIP": "10.0.0.1", "conditions": [ready]}
    for pod in pods(api):
        if pod.get("status") != told:
            api.store("pods", {**pod, "status": told})


def available(api):
    held = api.objects["deployments"]["default", "web"]
    return held.get("status", {}).get("availableReplicas", 0)


async def test_from_a_deployment_to_endpoints(api):
    selector = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    api.store("services", {"metadata": {"name": "web", "namespace": "default"}, "spec": selector})
    api.store("deployments", deployment())
    async with controllers(api.url):
        await api.until(lambda: len(pods(api)) == 2)
        start(api)
        await api.until(lambda: available(api) == 2)
        await api.until(
            lambda: (
                len(api.objects["endpoints"]["default", "web"]["subsets"][0].get("addresses", []))
                == 2
            )
        )
        assert ("default", "default") in api.objects["serviceaccounts"]
        assert ("default", "kube-root-ca.crt") in api.objects["configmaps"]
        reasons = {event["reason"] for event in api.objects["events"].values()}
        assert {"ScalingReplicaSet", "SuccessfulCreate"} <= reasons
        assert all(r.headers["authorization"] == "Bearer token" for r in api.requests)


async def test_not_one_pod_too_many(api):
    """Our own writes count at once, however late the watch tells of them."""
    async with controllers(api.url):
        await api.until(lambda: len(api.watchers) == len(shell.WATCHED))
        api.store("deployments", deployment(50))
        await api.until(lambda: len(pods(api)) == 50)
        api.cut(forget=True)
        await api.until(lambda: len(api.watchers) == len(shell.WATCHED))
        start(api)
        await api.until(lambda: available(api) == 50)
        assert len(pods(api)) == 50


async def test_a_rollout(api):
    api.store("deployments", deployment())
    async with controllers(api.url):
        await api.until(lambda: len(pods(api)) == 2)
        start(api)
        await api.until(lambda: available(api) == 2)
        held = api.objects["deployments"]["default", "web"]
        api.store("deployments", {**held, "spec": deployment(image="i:2")["spec"]})

        def done():
            start(api)
            images = [pod["spec"]["containers"][0]["image"] for pod in pods(api)]
            return images == ["i:2", "i:2"]

        await api.until(done)


async def test_dependents_of_a_deleted_deployment_go(api):
    api.store("deployments", deployment())
    async with controllers(api.url):
        await api.until(lambda: len(pods(api)) == 2)
        api.drop("deployments", api.objects["deployments"]["default", "web"])
        await api.until(lambda: not api.objects["replicasets"] and not pods(api))


async def test_what_was_deleted_while_nobody_watched(api):
    api.store("deployments", deployment())
    async with controllers(api.url):
        await api.until(lambda: len(pods(api)) == 2)
    api.drop("deployments", api.objects["deployments"]["default", "web"])
    api.cut(forget=True)
    async with controllers(api.url):
        await api.until(lambda: not api.objects["replicasets"] and not pods(api))


async def test_a_namespace_ends(api):
    metadata = {"name": "team", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    api.store("configmaps", {"metadata": {"name": "c", "namespace": "team"}})
    api.store("secrets", {"metadata": {"name": "s", "namespace": "team"}})
    api.store("namespaces", {"metadata": metadata, "spec": {"finalizers": ["kubernetes"]}})
    async with controllers(api.url):
        await api.until(lambda: ("", "team") not in api.objects["namespaces"])
    assert ("team", "c") not in api.objects["configmaps"]
    assert ("team", "s") not in api.objects["secrets"]


async def test_refused_pods_are_tried_again(api):
    quota = status(403, "Forbidden", "exceeded quota")
    api.refuse = lambda request, plural, item: (
        quota if plural == "pods" and request.method == "POST" else None
    )
    api.store("deployments", deployment())

    def failure():
        held = api.objects["deployments"]["default", "web"].get("status", {})
        found = {each["type"]: each for each in held.get("conditions", [])}
        return found.get("ReplicaFailure", {}).get("message")

    async with controllers(api.url):
        await api.until(lambda: failure() == "exceeded quota")
        api.refuse = lambda request, plural, item: None
        await api.until(lambda: len(pods(api)) == 2)
        await api.until(lambda: failure() is None)


async def test_conflicts_and_breaks_are_no_end(api):
    failing = {"left": 3}

    def refuse(request, plural, item):
        if request.method in ("PATCH", "PUT") and failing["left"]:
            failing["left"] -= 1
            return status(409, "Conflict")
        return None

    api.refuse = refuse
    api.store("deployments", deployment())
    async with controllers(api.url):
        await api.until(lambda: len(pods(api)) == 2)
        api.cut()
        await api.until(lambda: len(api.watchers) == len(shell.WATCHED))
        start(api)
        await api.until(lambda: available(api) == 2)


async def test_an_api_that_is_not_there_yet(api):
    api.refuse = lambda request, plural, item: status(503, "ServiceUnavailable")
    api.store("deployments", deployment())
    async with controllers(api.url):
        await api.until(lambda: len(api.requests) > len(shell.WATCHED))
        api.refuse = lambda request, plural, item: None
        await api.until(lambda: len(pods(api)) == 2)
