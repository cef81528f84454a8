"""The dcos command line against a gateway and a cosmos of ours with small upstreams behind them."""

import asyncio
import contextlib

import pytest

from comity.cli import dcos
from comity.runtime.http import Response
from support.doors import real_cosmos, running
from support.persons import Person
from support.upstreams import FakeAgent, FakeMarathon, FakeMaster, FakeService, answer

POD_UID = "0b6e2f3c-1111-4222-8333-444455556666"


@pytest.fixture
async def around(tmp_path):
    async with contextlib.AsyncExitStack() as stack:
        kinds = (FakeMarathon, FakeMaster, FakeAgent, FakeService)
        found = [await stack.enter_async_context(kind().serving()) for kind in kinds]
        marathon, master, agent, _service = found
        cosmos = await stack.enter_async_context(real_cosmos(tmp_path, marathon, master))
        resources = {"cpus": 4.0, "mem": 8192.0, "disk": 100.0}
        master.agents = [
            {
                "id": "S0",
                "pid": f"slave(1)@{agent.url[7:]}",
                "hostname": "127.0.0.11",
                "active": True,
                "resources": resources,
                "used_resources": {"cpus": 1.5, "mem": 256.0},
                "attributes": {"comity_images": "none"},
            }
        ]
        command = task("web.1", "web", "TASK_RUNNING")
        ended = task("old.1", "old", "TASK_FAILED")
        pod = task("pod.1", "guestbook", "TASK_RUNNING", executor_id="kubernetes-node")
        pod["labels"] = [{"key": "pod_uid", "value": POD_UID}]
        master.frameworks = [
            framework("F", "marathon", [command], [ended]),
            framework("F2", "kubernetes", [pod], []),
        ]
        agent.executors = [
            {"id": "web.1", "directory": "/s/web"},
            {"id": "old.1", "directory": "/s/old"},
            {"id": "kubernetes-node", "directory": "/s/node"},
        ]
        agent.files = {
            "/s/web/stdout": b"".join(b"line %d\n" % n for n in range(20)),
            "/s/web/stderr": "käse\n".encode(),
            "/s/web/dir/file": b"x",
            "/s/old/stdout": b"ended\n",
            f"/s/node/containers/{POD_UID}-php-0/stdout": b"first try\n",
            f"/s/node/containers/{POD_UID}-php-1/stdout": b"second try\n",
        }
        yield [*found, cosmos]


def task(task_id, name, state, executor_id=""):
    return {
        "id": task_id,
        "name": name,
        "state": state,
        "slave_id": "S0",
        "framework_id": "F",
        "executor_id": executor_id,
    }


def framework(framework_id, name, tasks, completed):
    return {
        "id": framework_id,
        "name": name,
        "user": "root",
        "hostname": "h",
        "active": True,
        "used_resources": {"cpus": 1.0, "mem": 128.0, "disk": 0.0},
        "tasks": tasks,
        "completed_tasks": completed,
    }


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("DCOS_DIR", str(tmp_path / "dcos"))
    for name in ("DCOS_URL", "DCOS_ACS_TOKEN", "DCOS_CLUSTER", "DCOS_USERNAME", "DCOS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "dcos"


@pytest.fixture
async def person(tmp_path, around, settings, capsys, monkeypatch):
    async with running(tmp_path, around) as door:
        monkeypatch.setenv("DCOS_URL", door.url)
        yield Person(door, capsys, monkeypatch)


# clusters and logins


async def test_a_cluster_is_set_up_and_used(tmp_path, around, settings, capsys, monkeypatch):
    async with running(tmp_path, around, auth=True) as door:
        person = Person(door, capsys, monkeypatch)
        words = f"cluster setup {door.url} --username admin --password-file"
        await person.runs(f"{words} {tmp_path}/admin-password --name home")
        held = list(settings.glob("clusters/*/dcos.toml"))
        assert len(held) == 1
        assert held[0].stat().st_mode & 0o777 == 0o600
        out = await person.runs("cluster list")
        assert out.split()[:6] == ["NAME", "ID", "STATUS", "VERSION", "URL", "*"]
        assert "home" in out
        assert "AVAILABLE" in out
        await person.runs("node list")
        assert "token" not in await person.runs("config show core.dcos_url")
        assert "********" in await person.runs("config show")
        await person.runs("auth logout")
        await person.runs("node list", code=1)
        assert "dcos auth login" in person.err
        await person.runs(f"auth login --username admin --password-file {tmp_path}/admin-password")
        await person.runs("task")
        await person.runs("auth login --username admin --password wrong", code=1)
        assert "Bad user id or password" in person.err
        await person.runs("cluster rename home away")
        await person.runs("cluster attach away")
        await person.runs("cluster remove away")
        await person.runs("cluster attach away", code=1)


async def test_no_cluster_at_all(settings, capsys, monkeypatch):
    monkeypatch.setattr("comity.cli.dcos.session.LOCAL_URL", "http://127.0.0.1:9")
    assert await asyncio.to_thread(dcos.main, ["task"]) == 1
    assert "comity up" in capsys.readouterr().err


async def test_a_cluster_that_is_away(settings, capsys, monkeypatch):
    monkeypatch.setenv("DCOS_URL", "http://127.0.0.1:9")
    assert await asyncio.to_thread(dcos.main, ["task"]) == 1
    assert "is the cluster up?" in capsys.readouterr().err


async def test_the_saved_token_does_not_go_elsewhere(person, settings):
    from comity.cli.dcos.settings import Settings

    held = Settings(settings / "clusters" / "other")
    held.values = {"core": {"dcos_url": "http://other", "dcos_acs_token": "secret"}}
    held.save()
    held.attach()
    await person.runs("node list")
    assert all("secret" not in str(r.headers) for r in person.door.master.requests)


# everything that runs


async def test_tasks_of_both_kinds_are_one_list(person):
    out = await person.runs("task")
    lines = out.splitlines()
    assert lines[0].split("  ")[0] == "NAME"
    assert lines[0].split() == ["NAME", "HOST", "USER", "STATE", "ID", "FRAMEWORK", "AGENT", "ID"]
    assert lines[1].split() == [
        "guestbook",
        "127.0.0.11",
        "root",
        "TASK_RUNNING",
        "pod.1",
        "kubernetes",
        "S0",
    ]
    assert lines[2].split() == [
        "web",
        "127.0.0.11",
        "root",
        "TASK_RUNNING",
        "web.1",
        "marathon",
        "S0",
    ]
    assert (await person.runs("task list --quiet")).split() == ["pod.1", "web.1"]
    assert (await person.runs("task -q --completed")).split() == ["old.1"]
    assert (await person.runs("task -q --all")).split() == ["pod.1", "web.1", "old.1"]
    assert (await person.runs("task -q web")).split() == ["web.1"]
    assert (await person.runs("task -q g*k")).split() == ["pod.1"]
    assert [each["id"] for each in await person.json("task --json web")] == ["web.1"]
    await person.runs("task --all --completed", code=1)


async def test_logs(person):
    assert (await person.runs("task log web")).split("\n")[:2] == ["line 10", "line 11"]
    assert await person.runs("task log --lines 1 web") == "line 19\n"
    assert await person.runs("task log --lines 0 web") == ""
    assert await person.runs("task log web stderr") == "käse\n"
    assert await person.runs("task log guestbook") == "second try\n"
    assert await person.runs("task log old") == "ended\n"
    first = person.door.master.frameworks[0]["completed_tasks"][0]
    first["statuses"] = [{"state": "TASK_FAILED", "timestamp": 5.0}]
    earlier = [{"state": "TASK_FAILED", "timestamp": 4.0}]
    person.door.master.frameworks[0]["completed_tasks"].append(
        task("old.0", "old", "TASK_FAILED") | {"statuses": earlier}
    )
    assert await person.runs("task log old") == "ended\n"
    assert "old.1: TASK_FAILED" in person.err
    await person.runs("task log web nothing", code=1)
    assert "no file 'nothing'" in person.err
    await person.runs("task log nobody", code=1)
    await person.runs("task log 1", code=1)
    assert "several tasks match" in person.err


async def test_a_pod_of_several_containers_asks_which(person):
    person.door.agent.files[f"/s/node/containers/{POD_UID}-side-0/stdout"] = b"side\n"
    await person.runs("task log guestbook", code=1)
    assert "side/stdout" in person.err
    assert await person.runs("task log guestbook side/stdout") == "side\n"


async def test_files(person):
    assert (await person.runs("task ls web")).split() == ["dir", "stderr", "stdout"]
    assert (await person.runs("task ls web dir")).split() == ["file"]
    assert "-rw-r--r--" in await person.runs("task ls --long web")
    await person.runs("task ls web nothing", code=1)


async def test_nodes(person):
    out = await person.runs("node")
    assert out.startswith("HOSTNAME    IP")
    assert "1.5/4" in out
    assert "none" in out
    assert "master (leader)" in out
    assert [node["id"] for node in await person.json("node list --json")] == ["S0", "M"]


async def test_images(person):
    await person.runs("image pull --node S0 box:1")
    assert person.err == "box:1 is on S0\n"
    await person.runs("image pull --node S0 other")
    person.door.agent.images["used"] = True
    out = await person.runs("image list --node S0")
    assert out.splitlines()[1].split()[:5] == ["box:1", "aaaaaaaaaaaa", "2", "1.5", "MB"]
    assert person.err == "pulling slow: 500 B of 2.0 KB\n"
    shown = await person.json("image list --node S0 --json")
    assert [one["name"] for one in shown["images"]] == ["box:1", "other", "used"]
    pulled = await person.json("image pull --node S0 third --json")
    assert pulled["name"] == "third"
    removed = await person.json("image prune --node S0 --keep box:1 --keep other --json")
    assert [one["name"] for one in removed["removed"]] == ["third"]
    await person.runs("image prune --node S0 --keep box:1")
    assert person.err == "removed other (1.5 MB)\n"
    await person.runs("image prune --node S0 --keep box:1")
    assert person.err.startswith("nothing to remove")
    await person.runs("image pull --node S0 none", code=1)
    assert "is not in the registry" in person.err
    await person.runs("image list --node S9", code=1)
    assert "There is no agent 'S9'" in person.err


async def test_services(person):
    assert "marathon" in await person.runs("service")
    assert await person.runs("service list --quiet") == "marathon\nkubernetes\n"
    await person.runs("service shutdown kubernetes --yes")
    assert [each["id"] for each in person.door.master.frameworks] == ["F"]
    await person.runs("service shutdown nobody --yes", code=1)


# packages


async def test_packages(person, tmp_path):
    assert "hello-world" in await person.runs("package search")
    assert [p["name"] for p in (await person.json("package search --json kube"))["packages"]] == [
        "kubernetes"
    ]
    await person.runs("package search nothing-like-it", code=1)
    assert (await person.json("package describe hello-world"))["package"]["version"] == "1.0.0"
    assert "service" in (await person.json("package describe --config hello-world"))["properties"]
    assert await person.json("package describe --package-versions hello-world") == ["1.0.0"]
    assert "{{service.name}}" in await person.runs("package describe --app hello-world")
    options = tmp_path / "options.json"
    options.write_text('{"service": {"instances": 2}}')
    rendered = await person.json(f"package describe --render --options {options} hello-world")
    assert rendered["instances"] == 2
    await person.runs("package list", code=1)
    await person.runs(f"package install hello-world --yes --wait --options {options}")
    assert "curl" in person.out
    assert "is deployed" in person.err
    assert person.door.marathon.apps["/hello-world"]["instances"] == 2
    out = await person.runs("package list")
    assert out.splitlines()[0].split() == [
        "NAME",
        "VERSION",
        "CERTIFIED",
        "APP",
        "COMMAND",
        "DESCRIPTION",
    ]
    assert "/hello-world" in out
    await person.runs("package install hello-world --yes", code=1)
    assert "already installed" in person.err
    await person.runs("package uninstall hello-world --yes")
    assert person.door.marathon.apps == {}


async def test_an_installation_asks_first(person):
    await person.runs("package install hello-world", stdin="no\n", code=1)
    assert person.door.marathon.apps == {}
    await person.runs("package install hello-world", stdin="", code=1)
    assert "--yes" in person.err
    await person.runs("package install hello-world", stdin="yes\n")
    assert "/hello-world" in person.door.marathon.apps


async def test_bad_options_say_what_is_wrong(person, tmp_path):
    options = tmp_path / "options.json"
    options.write_text('{"service": {"instances": "many", "colour": 1}}')
    await person.runs(f"package install hello-world --yes --options {options}", code=1)
    assert "/service/instances: expected integer, found string" in person.err
    assert "colour" in person.err
    options.write_text("[")
    await person.runs(f"package install hello-world --yes --options {options}", code=1)
    assert "does not hold a JSON object" in person.err
    await person.runs("package install hello-world --yes --options /nowhere", code=1)


async def test_repositories(person):
    assert await person.runs("package repo list") == "Universe: builtin:universe\n"
    await person.runs("package repo add x ftp://y", code=1)
    await person.runs("package repo remove Universe")
    await person.runs("package repo list", code=1)
    await person.runs("package repo add Universe builtin:universe")
    assert (await person.json("package repo list --json"))["repositories"]


# marathon


async def test_apps(person, tmp_path):
    file = tmp_path / "app.json"
    file.write_text('{"id": "/sleep", "cmd": "sleep 1000", "cpus": 0.1}')
    assert await person.runs(f"marathon app add {file}") == "Created deployment deployment-1\n"
    await person.runs("marathon app add", stdin='{"id": "/other", "args": ["a", "b"]}')
    await person.runs("marathon app add", stdin='{"id": "/sleep"}', code=1)
    assert "already exists" in person.err
    await person.runs("marathon app add", stdin="nonsense", code=1)
    out = await person.runs("marathon app list")
    heads = "ID MEM CPUS TASKS HEALTH DEPLOYMENT WAITING CONTAINER CMD ROLE"
    assert out.splitlines()[0].split() == heads.split()
    assert out.splitlines()[2].split()[:7] == ["/sleep", "128", "0.1", "1/1", "---", "---", "false"]
    assert await person.runs("marathon app list -q") == "/other\n/sleep\n"
    assert (await person.json("marathon app show sleep"))["cmd"] == "sleep 1000"
    await person.runs("marathon app show nobody", code=1)
    assert "App '/nobody' does not exist" in person.err
    await person.runs("marathon app update /sleep instances=3 cpus=0.2 user=nobody")
    app = person.door.marathon.apps["/sleep"]
    assert (app["instances"], app["cpus"], app["user"]) == (3, 0.2, "nobody")
    await person.runs("marathon app update /nobody instances=3", code=1)
    await person.runs("marathon app update /sleep nonsense", code=1)
    await person.runs("marathon app stop /sleep")
    await person.runs("marathon app stop /sleep", code=1)
    await person.runs("marathon app start /sleep 2")
    await person.runs("marathon app start /sleep", code=1)
    await person.runs("marathon app start /sleep 0", code=1)
    await person.runs("marathon app restart /sleep")
    assert "sleep.instance-0" in await person.runs("marathon app kill /sleep")
    assert "Started deployment" in await person.runs("marathon app kill --scale /sleep")
    assert await person.json("marathon app version list /sleep --max-count 1") == ["v2"]
    await person.runs("marathon app version list /sleep --max-count 0", code=1)
    await person.runs("marathon app remove /sleep")
    assert "/sleep" not in person.door.marathon.apps


async def test_tasks_of_apps(person):
    person.door.marathon.run({"id": "/a", "instances": 2})
    out = await person.runs("marathon task list")
    assert out.splitlines()[0].split() == ["APP", "HEALTHY", "STARTED", "HOST", "ID", "ROLE"]
    assert (await person.runs("marathon task list -q /a")).split() == [
        "a.instance-0",
        "a.instance-1",
    ]
    assert (await person.json("marathon task show a.instance-1"))["appId"] == "/a"
    await person.runs("marathon task show nobody", code=1)
    assert "a.instance-0" in await person.runs("marathon task kill a.instance-0")
    await person.runs("marathon task kill a.instance-0 nobody", code=1)
    assert "nobody" in person.err
    assert "deployment" in await person.runs("marathon task kill --scale a.instance-0")
    assert (await person.json("marathon task stop a.instance-0"))["id"] == "a.instance-0"


async def test_deployments(person):
    await person.runs("marathon deployment list", code=1)
    step = {"action": "ScaleApplication", "app": "/a"}
    person.door.marathon.deployments = [
        {
            "id": name,
            "affectedApps": ["/a"],
            "currentActions": [step],
            "currentStep": 1,
            "totalSteps": 2,
        }
        for name in ("d1", "d2")
    ]
    out = await person.runs("marathon deployment list")
    assert out.splitlines()[1].split() == ["/a", "-", "scale", "0/2", "d1"]
    await person.runs("marathon deployment watch d1 --max-count 2 --interval 0.01", code=1)
    assert "step 1 of 2: ScaleApplication /a" in person.err
    assert "Created deployment" in await person.runs("marathon deployment rollback d1")
    await person.runs("marathon deployment stop d2")
    await person.runs("marathon deployment watch d1")
    await person.runs("marathon deployment rollback d1", code=1)
    assert "DeploymentPlan d1 does not exist" in person.err


async def test_the_rest_of_marathon(person):
    assert (await person.json("marathon about"))["name"] == "marathon"
    assert await person.runs("marathon ping") == "Marathon ping response: pong\n"
    assert "/g" in await person.runs("marathon group list")


# kubernetes


async def test_kubeconfig(person, tmp_path):
    await person.runs("kubernetes kubeconfig", code=1)
    assert "dcos package install kubernetes" in person.err
    await person.runs("package install kubernetes --yes")
    app = person.door.marathon.apps["/kubernetes"]
    plane = person.door.service
    app["tasks"][0]["ports"] = [9, int(plane.url.rpartition(":")[2])]

    async def kubeconfig(request):
        token = f"Bearer {app['env']['KUBERNETES_BOOTSTRAP_TOKEN']}"
        if request.headers.get("authorization") != token:
            return Response(401)
        return Response(200, b"apiVersion: v1\n", "application/yaml")

    async def healthz(request):
        return answer("ok")

    plane.router.add("GET", "/kubeconfig", kubeconfig)
    plane.router.add("GET", "/healthz", healthz)
    assert await person.runs("kubernetes kubeconfig --output -") == "apiVersion: v1\n"
    file = tmp_path / "sub" / "kubeconfig"
    await person.runs(f"kubernetes kubeconfig --output {file}")
    assert file.read_text() == "apiVersion: v1\n"
    assert file.stat().st_mode & 0o777 == 0o600
    found = await person.json("kubernetes status --json")
    assert (found["health"], found["pods"]) == ("ok", 1)
    app["tasks"] = []
    await person.runs("kubernetes kubeconfig", code=1)
    assert "not running yet" in person.err


# help and mistakes


@pytest.mark.parametrize("group", sorted(dcos.GROUPS))
async def test_help_has_examples(group, capsys):
    with pytest.raises(SystemExit) as caught:
        dcos.main([group, "--help"])
    assert caught.value.code == 0
    assert f"dcos {group}" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["nothing"]])
def test_usage_mistakes(words, capsys):
    assert dcos.main(words) == 2


def test_help_and_version(capsys):
    assert dcos.main(["--help"]) == 0
    assert dcos.main(["--version"]) == 0
    assert "dcos (comity" in capsys.readouterr().out
