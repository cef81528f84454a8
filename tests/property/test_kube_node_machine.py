"""Random histories of a node: never two live incarnations, and everything deleted ends.

The world checks its invariants after every step; here only what happens is random.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.kube.node import inputs, outbox
from support.kube_node_rig import TERMINAL, World, container, pod

_PROBE = {"tcpSocket": {"port": 1}, "periodSeconds": 3, "failureThreshold": 1}
_HOOK = {"preStop": {"exec": {"command": ["x"]}}, "postStart": {"exec": {"command": ["x"]}}}
_CONTAINERS = st.fixed_dictionaries(
    {},
    optional={
        "livenessProbe": st.just(_PROBE),
        "readinessProbe": st.just(_PROBE),
        "startupProbe": st.just(_PROBE),
        "lifecycle": st.just(_HOOK),
    },
)
_ACTIONS = st.one_of(
    st.tuples(st.just("advance"), st.sampled_from([0.0, 1.0, 10.0, 60.0, 700.0])),
    st.tuples(st.just("exit"), st.integers(0, 2)),
    st.tuples(st.just("launch"), st.booleans()),
    st.tuples(st.just("probe"), st.booleans()),
    st.tuples(st.just("hook"), st.booleans()),
    st.tuples(st.just("delete"), st.sampled_from([0, 5, 30])),
    st.tuples(st.just("kill"), st.sampled_from([None, 0.0, 3.0])),
    st.tuples(st.just("gone"), st.none()),
    st.tuples(st.just("store"), st.none()),
    st.tuples(st.just("stale"), st.none()),
)


class Chaos:
    """A world whose answers come when the history says so."""

    def __init__(self, given_pod: dict[str, Any]) -> None:
        self.pod = given_pod
        self.world = World()
        self.world.hold(outbox.LaunchContainer, outbox.PatchStatus)
        self.world.assign(given_pod)

    def pending(self, kind: type) -> list[Any]:
        return self.world.of(kind)

    def act(self, name: str, value: Any) -> None:
        getattr(self, name)(value)

    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    def exit(self, code: int) -> None:
        if self.world.live:
            self.world.put(self.world.exit_input(next(iter(self.world.live)), code << 8))

    def launch(self, ok: bool) -> None:
        asked = [e for e in self.pending(outbox.LaunchContainer) if e.container_id not in self.done]
        for effect in asked[:1]:
            self.done.add(effect.container_id)
            if ok:
                for item in self.world.run(effect):
                    self.world.put(item)
            else:
                name = (effect.uid, effect.name, effect.container_id)
                self.world.put(inputs.LaunchFailed(*name, "image: none"))

    @property
    def done(self) -> set[str]:
        return self.__dict__.setdefault("_done", set())

    def probe(self, ok: bool) -> None:
        for e in self.pending(outbox.RunProbe)[-1:]:
            self.world.put(inputs.ProbeResult(e.uid, e.name, e.container_id, e.kind, ok, "x"))

    def hook(self, ok: bool) -> None:
        for e in self.pending(outbox.RunHook)[-1:]:
            error = "" if ok else "x"
            self.world.put(inputs.HookFinished(e.uid, e.name, e.container_id, e.hook, error))

    def delete(self, grace_s: int) -> None:
        if "uid-web" in self.world.machine.state.pods:
            self.world.delete(self.pod, grace_s)

    def kill(self, grace_s: float | None) -> None:
        if "uid-web" in self.world.machine.state.pods:
            self.world.put(inputs.TaskKilled("task-web", grace_s))

    def gone(self, _: None) -> None:
        self.world.put(inputs.PodDeleted("uid-web"))

    def store(self, _: None) -> None:
        for effect in self.pending(outbox.PatchStatus)[-1:]:
            self.world.put(inputs.StatusStored(effect.uid, effect.seq))

    def stale(self, _: None) -> None:
        """Inputs about incarnations that are no more, and timers that fired late."""
        for container_id in list(self.done)[:2]:
            name = ("uid-web", container_id.rsplit("-", 2)[1], container_id)
            if container_id not in self.world.live:
                end = dict(zip(("uid", "name", "container_id"), name, strict=True))
                self.world.put(inputs.ContainerExited(**end, wait_status=0))
                self.world.put(inputs.ContainerLaunched(*name))
            self.world.put(inputs.RetryDue("uid-web", name[1]))

    def settle(self) -> None:
        """Let everything that was asked be answered, until nothing happens."""
        for _ in range(20):
            self.launch(ok=True)
            self.store(None)
            self.world.advance(60)


@settings(max_examples=150)
@given(
    policy=st.sampled_from(["Always", "OnFailure", "Never"]),
    mains=st.lists(_CONTAINERS, min_size=1, max_size=2),
    inits=st.lists(st.sampled_from([None, "Always"]), max_size=2),
    history=st.lists(_ACTIONS, max_size=40),
)
def test_whatever_happens_a_deleted_pod_ends(policy, mains, inits, history):
    chaos = Chaos(
        pod(
            containers=[container(f"m{n}", **fields) for n, fields in enumerate(mains)],
            initContainers=[
                container(f"i{n}", **({"restartPolicy": kind} if kind else {}))
                for n, kind in enumerate(inits)
            ],
            restartPolicy=policy,
        )
    )
    for name, value in history:
        chaos.act(name, value)
    chaos.delete(30)
    chaos.settle()
    world = chaos.world
    assert not world.live, "something still runs"
    assert not world.machine.state.pods, "the pod was not forgotten"
    assert world.updates()[-1] in TERMINAL
    assert sum(state in TERMINAL for state in world.updates()) == 1
