"""Who gets into an agent: realms, executors' tokens, access control lists over HTTP."""

import asyncio
import base64
import contextlib
import json
import sys

import pytest

from comity.agent.config import AgentConfig
from comity.agent.shell import keys
from comity.core import jwt
from comity.core.errors import UserError
from comity.runtime.http import Client
from comity.wire.mesos import v1
from support.kernel import Kernel, shell

S = v1.TaskState
JSON = ("Content-Type", "application/json")
EXECUTOR = """
import asyncio, os, pathlib
from comity.sdk.executor import Executor
from comity.wire.mesos import executor as wire, v1

async def main():
    async with Executor.from_environment() as agent:
        async for event in agent.events():
            match event:
                case wire.EventLaunch(launch=launch):
                    token = os.environ["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"]
                    pathlib.Path("token").write_text(token)
                    running = v1.TaskState.RUNNING
                    agent.update(v1.TaskStatus(task_id=launch.task.task_id, state=running))
                case wire.EventShutdown():
                    await agent.flushed()
                    return

asyncio.run(main())
"""


def basic(principal, secret):
    token = base64.b64encode(f"{principal}:{secret}".encode()).decode()
    return ("Authorization", f"Basic {token}")


OPS, ADS = basic("ops", "secret-1"), basic("ads", "secret-2")


def bearer(token):
    return ("Authorization", f"Bearer {token}")


@contextlib.asynccontextmanager
async def cluster(tmp_path, *flags, acls=None):
    """Run a master without and an agent with credentials; give both and what asks the agent."""
    credentials = tmp_path / "credentials"
    credentials.write_text("ops secret-1\nads secret-2\n")
    if acls is not None:
        (tmp_path / "acls").write_text(json.dumps(acls))
        flags = (*flags, "--acls", str(tmp_path / "acls"))
    client = Client()
    async with Kernel(tmp_path, "--credentials", str(credentials), *flags) as kernel:

        async def ask(path, *headers, call=None):
            method, data = ("GET", b"") if call is None else ("POST", json.dumps(call).encode())
            url = f"{kernel.agent.url}{path}"
            return await client.request(method, url, data, (JSON, *headers))

        try:
            yield kernel, ask
        finally:
            await client.close()


async def launched(kernel, mesos, tmp_path):
    """Start an executor of a framework's; return the id of its container, and its token."""
    program = tmp_path / "executor.py"
    program.write_text(EXECUTOR)
    executor = v1.ExecutorInfo(
        executor_id=v1.Id(value="own"),
        command=v1.CommandInfo(value=f"exec {sys.executable} {program}"),
    )
    await mesos.launch({"id": "a", "executor": executor})
    running = await mesos.until_state("a", S.RUNNING)
    [path] = kernel.directory.glob("a/slaves/*/frameworks/*/executors/own/runs/latest/token")
    return running.container_status.container_id.value, path.read_text()


def call(kind, **body):
    return {"type": kind, kind.lower(): body}


def nested(parent, name="n", **more):
    return {"container_id": {"value": name, "parent": {"value": parent}}, **more}


async def test_each_realm_asks_for_credentials(tmp_path):
    async with cluster(tmp_path) as (_, ask):
        for path, given, realm in (
            ("/state", None, "mesos-agent-readonly"),
            ("/slave(1)/monitor/statistics", None, "mesos-agent-readonly"),
            ("/api/v1", {"type": "GET_VERSION"}, "mesos-agent-readwrite"),
            ("/api/v1/executor", {"type": "SUBSCRIBE"}, "mesos-agent-executor"),
        ):
            answer = await ask(path, call=given)
            assert answer.status == 401, path
            assert f'realm="{realm}"' in answer.header("WWW-Authenticate")
        assert (await ask("/health")).status == 200
        assert (await ask("/state", OPS)).status == 200
        assert (await ask("/state", basic("ops", "wrong"))).status == 401
        assert (await ask("/api/v1", OPS, call={"type": "GET_VERSION"})).status == 200


async def test_a_realm_can_be_opened(tmp_path):
    async with cluster(tmp_path, "--no-authenticate-http-readonly") as (_, ask):
        assert (await ask("/state")).status == 200
        assert (await ask("/state", basic("ops", "wrong"))).status == 401
        assert (await ask("/api/v1", call={"type": "GET_VERSION"})).status == 401


async def test_an_executor_proves_itself_by_its_token_and_comes_back_with_it(tmp_path):
    async with cluster(tmp_path) as (kernel, ask), kernel.scheduler() as mesos:
        container, token = await launched(kernel, mesos, tmp_path)
        claims = jwt.claims_of(token, (tmp_path / "a/executor-key").read_bytes())
        assert (claims["eid"], claims["cid"]) == ("own", container)
        assert ((tmp_path / "a/executor-key").stat().st_mode & 0o777) == 0o600
        await kernel.restart_agent()
        await kernel_hears(ask)
        ids = {"framework_id": {"value": claims["fid"]}, "executor_id": {"value": "own"}}
        beat = {"type": "HEARTBEAT", **ids}
        while (await ask("/api/v1/executor", bearer(token), call=beat)).status != 202:
            pass  # 403 until it has come back
        other = {**beat, "executor_id": {"value": "other"}}
        refused = await ask("/api/v1/executor", bearer(token), call=other)
        assert (refused.status, refused.body) == (403, b"The token is not this executor's\n")
        assert (await ask("/api/v1/executor", call=beat)).status == 401
        forged = jwt.issue({**claims, "eid": "other"}, b"another key of some length")
        assert (await ask("/api/v1/executor", bearer(forged), call=other)).status == 401
        assert mesos.last("a").state is S.RUNNING
        assert token not in (tmp_path / "agent.log").read_text()


async def kernel_hears(ask):
    while (await ask("/api/v1", OPS, call={"type": "GET_AGENT"})).status != 200:
        pass


async def test_an_executor_may_use_containers_below_its_own_and_nothing_else(tmp_path):
    async with cluster(tmp_path) as (kernel, ask), kernel.scheduler() as mesos:
        container, token = await launched(kernel, mesos, tmp_path)
        await mesos.launch({"id": "b", **shell("exec sleep 600")})
        other = (await mesos.until_state("b", S.RUNNING)).container_status.container_id.value
        own = bearer(token)
        launch = call("LAUNCH_NESTED_CONTAINER", **nested(container, command={"value": "true"}))
        assert (await ask("/api/v1", own, call=launch)).status == 200
        wait = call("WAIT_NESTED_CONTAINER", **nested(container))
        assert (await ask("/api/v1", own, call=wait)).status == 200
        for refused in (
            call("LAUNCH_NESTED_CONTAINER", **nested(other, command={"value": "true"})),
            call("KILL_NESTED_CONTAINER", container_id={"value": other}),
            {"type": "GET_STATE"},
        ):
            assert (await ask("/api/v1", own, call=refused)).status == 403
        assert (await ask("/state", own)).status == 401


ONLY_OPS = {"principals": {"values": ["ops"]}}
NOBODY = {"principals": {"type": "NONE"}}
ANY = {"type": "ANY"}


def rules(action, name="users"):
    """Return the rules: ops on everything, nobody else."""
    return {action: [{**ONLY_OPS, name: ANY}, {"principals": {"type": "NONE"}, name: ANY}]}


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("launch_nested_containers_under_parent_with_user", "LAUNCH_NESTED_CONTAINER"),
        ("launch_nested_container_sessions_under_parent_with_user", "SESSION"),
        ("kill_nested_containers", "KILL_NESTED_CONTAINER"),
        ("wait_nested_containers", "WAIT_NESTED_CONTAINER"),
        ("remove_nested_containers", "REMOVE_NESTED_CONTAINER"),
        ("attach_containers_output", "ATTACH_CONTAINER_OUTPUT"),
    ],
)
async def test_calls_about_containers_have_rules(tmp_path, action, kind):
    async with cluster(tmp_path, acls=rules(action)) as (kernel, ask), kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **shell("exec sleep 600")})
        status = await mesos.until_state("t", S.RUNNING)
        kind = "LAUNCH_NESTED_CONTAINER_SESSION" if kind == "SESSION" else kind
        body = nested(status.container_status.container_id.value)
        if kind.startswith("LAUNCH"):
            body["command"] = {"value": "true"}
        refused = await ask("/api/v1", ADS, call=call(kind, **body))
        assert (refused.status, refused.body) == (403, b"Not authorized to do this\n")
        if not kind.endswith("SESSION"):
            allowed = await ask("/api/v1", OPS, call=call(kind, **body))
            assert allowed.status != 403


async def test_what_is_hidden_is_left_out_of_reads(tmp_path):
    acls = rules("view_executors") | rules("view_containers") | rules("view_flags", "flags")
    async with cluster(tmp_path, acls=acls) as (kernel, ask), kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **shell("exec sleep 600")})
        await mesos.until_state("t", S.RUNNING)
        for who, count in ((OPS, 1), (ADS, 0)):
            state = json.loads((await ask("/state", who)).body)
            assert sum(len(one["executors"]) for one in state["frameworks"]) == count
            assert ("flags" in state) is bool(count)
            assert len(json.loads((await ask("/containers", who)).body)) == count
            answer = await ask("/api/v1", who, call={"type": "GET_CONTAINERS"})
            shown = json.loads(answer.body)["get_containers"].get("containers", [])
            assert len(shown) == count
            answer = await ask("/api/v1", who, call={"type": "GET_TASKS"})
            shown = json.loads(answer.body)["get_tasks"].get("launched_tasks", [])
            assert len(shown) == count
        assert (await ask("/flags", ADS)).status == 403
        assert (await ask("/api/v1", ADS, call={"type": "GET_FLAGS"})).status == 403


async def test_sandboxes_and_endpoints_have_rules(tmp_path):
    acls = rules("access_sandboxes") | rules("get_endpoints", "paths")
    async with cluster(tmp_path, acls=acls) as (kernel, ask), kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **shell("echo hello")})
        await mesos.until_state("t", S.FINISHED)
        [path] = kernel.directory.glob("a/slaves/*/frameworks/*/executors/t/runs/latest")
        read = call("READ_FILE", path=f"{path.resolve()}/stdout", offset=0)
        for place in ("read", "download", "browse"):
            name = path.resolve() / ("stdout" if place != "browse" else "")
            url = f"/files/{place}?path={name}&offset=0&length=5"
            assert (await ask(url, OPS)).status == 200
            assert (await ask(url, ADS)).status == 403
        assert (await ask("/api/v1", OPS, call=read)).status == 200
        assert (await ask("/api/v1", ADS, call=read)).status == 403
        assert (await ask("/monitor/statistics", OPS)).status == 200
        assert (await ask("/monitor/statistics", ADS)).status == 403


@pytest.mark.root
async def test_no_way_round_leads_to_the_sandbox_of_another_user(tmp_path):
    allowed = {"principals": {"values": ["ops"]}, "users": {"values": ["root"]}}
    acls = {"permissive": False, "access_sandboxes": [allowed]}
    async with cluster(tmp_path, acls=acls) as (kernel, ask):
        async with kernel.scheduler(user="nobody") as mesos:
            other = await sandbox_of(kernel, mesos, "other", "sleep 600")
        async with kernel.scheduler(user="root") as mesos:
            own = await sandbox_of(kernel, mesos, "own", f"ln -s {other} link; sleep 600")
            up = own / "../../../../.." / other.relative_to(own.parents[4])
            while not (own / "link").is_symlink():
                await asyncio.sleep(0.01)
            for place, status in ((own, 200), (other, 403), (own / "link", 403), (up, 403)):
                name = f"{place}/stdout"
                read = call("READ_FILE", path=name, offset=0)
                assert (await ask("/api/v1", OPS, call=read)).status == status, name
                url = f"/files/read?path={name}&offset=0"
                assert (await ask(url, OPS)).status == status, name


@pytest.mark.root
async def test_sandboxes_stay_their_users_when_the_agent_has_forgotten_the_framework(tmp_path):
    users = {"users": {"values": ["nobody"]}}
    ops = {"principals": {"values": ["ops"]}, **users}
    none = {"principals": {"type": "NONE"}, **users}
    acls = {"permissive": True, "access_sandboxes": [ops, none], "view_executors": [ops, none]}
    async with cluster(tmp_path, acls=acls) as (kernel, ask):
        async with kernel.scheduler(user="nobody") as mesos:
            await mesos.launch({"id": "t", **shell("echo hello")})
            await mesos.until_state("t", S.FINISHED)
        pattern = "a/slaves/*/frameworks/*/executors/t/runs/latest"
        [path] = [one.resolve() for one in kernel.directory.glob(pattern)]

        async def state(who):
            return json.loads((await ask("/state", who)).body)

        while (await state(OPS))["frameworks"]:
            await asyncio.sleep(0.01)
        [framework] = (await state(OPS))["completed_frameworks"]
        assert (framework["user"], len(framework["completed_executors"])) == ("nobody", 1)
        assert (await state(ADS))["completed_frameworks"] == []
        url = f"/files/read?path={path}/stdout&offset=0"
        assert (await ask(url, OPS)).status == 200
        assert (await ask(url, ADS)).status == 403
        stranger = url.replace("/executors/t/", "/executors/forgotten/")
        assert (await ask(stranger, ADS)).status == 403


async def sandbox_of(kernel, mesos, task_id, script):
    """Run a task; return where its sandbox is."""
    await mesos.launch({"id": task_id, **shell(script)})
    await mesos.until_state(task_id, S.RUNNING)
    pattern = f"a/slaves/*/frameworks/*/executors/{task_id}/runs/latest"
    [path] = kernel.directory.glob(pattern)
    return path.resolve()


def test_a_key_that_is_too_short_is_refused(tmp_path):
    (tmp_path / "key").write_text("short")
    with pytest.raises(UserError, match="16 bytes"):
        keys.executor_tokens(AgentConfig(jwt_secret_key=tmp_path / "key"))
    with pytest.raises(UserError, match="cannot read"):
        keys.executor_tokens(AgentConfig(jwt_secret_key=tmp_path / "none"))
    assert keys.executor_tokens(AgentConfig()) is None
