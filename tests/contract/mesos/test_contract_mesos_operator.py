"""What operators, exporters and user interfaces read and do (mesos.md, 4: 53-57, 85, 87-95)."""

import json
import stat
from urllib.parse import quote, urlencode

import pytest

from support.mesos_contract import JSON, Stream, name_of, request, task

V1 = "/api/v1"
MASTER_READS = [
    "GET_HEALTH",
    "GET_FLAGS",
    "GET_VERSION",
    "GET_METRICS",
    "GET_LOGGING_LEVEL",
    "GET_STATE",
    "GET_AGENTS",
    "GET_FRAMEWORKS",
    "GET_EXECUTORS",
    "GET_OPERATIONS",
    "GET_TASKS",
    "GET_ROLES",
    "GET_WEIGHTS",
    "GET_MASTER",
    "GET_MAINTENANCE_STATUS",
    "GET_MAINTENANCE_SCHEDULE",
    "GET_QUOTA",
]
AGENT_READS = [
    "GET_HEALTH",
    "GET_FLAGS",
    "GET_VERSION",
    "GET_METRICS",
    "GET_STATE",
    "GET_CONTAINERS",
    "GET_FRAMEWORKS",
    "GET_EXECUTORS",
    "GET_OPERATIONS",
    "GET_TASKS",
    "GET_AGENT",
    "GET_RESOURCE_PROVIDERS",
]
LEGACY = [
    "/state",
    "/state-summary",
    "/slaves",
    "/tasks",
    "/frameworks",
    "/roles",
    "/weights",
    "/quota",
    "/flags",
    "/version",
    "/maintenance/schedule",
    "/maintenance/status",
    "/metrics/snapshot",
]


@pytest.mark.parametrize("kind", MASTER_READS)
def test_the_master_answers_reads_with_their_own_type(target, kind):
    answer = target.post(V1, {"type": kind})
    assert answer.status == 200
    assert answer.headers["content-type"] == JSON
    assert answer.json()["type"] == kind


@pytest.mark.parametrize("kind", AGENT_READS)
def test_the_agent_answers_reads_with_their_own_type(target, kind):
    answer = request(target.agent, "POST", V1, {"type": kind})
    assert answer.status == 200
    assert answer.json()["type"] == kind


@pytest.mark.parametrize("who", ["master", "agent"])
def test_calls_that_are_not_valid_are_refused(target, who):
    url = getattr(target, who)
    assert request(url, "POST", V1, b"{}").status == 400
    assert request(url, "POST", V1, b"{}", {"Content-Type": "text/plain"}).status == 415
    assert request(url, "POST", V1, b"{", {"Content-Type": JSON}).status == 400
    assert request(url, "POST", V1, {}).status == 400
    assert request(url, "GET", V1).status == 405


@pytest.mark.parametrize("path", LEGACY)
@pytest.mark.parametrize("form", ["{}", "/master{}", "{}/", "{}?jsonp=f"])
def test_the_old_endpoints_are_there_by_all_their_names(target, path, form):
    if path == "/metrics/snapshot" and form.startswith("/master"):
        pytest.skip("that one belongs to the process")
    answer = target.get(form.format(path))
    assert answer.status == 200
    text = answer.body.decode()
    if "jsonp" in form:
        assert text.startswith("f(")
        text = text[2:].rstrip(");")
    json.loads(text)


def test_the_state_has_what_others_look_for(target):
    shown = target.get("/state").json()
    assert shown.keys() >= {
        "id",
        "pid",
        "leader",
        "leader_info",
        "version",
        "slaves",
        "frameworks",
        "completed_frameworks",
        "flags",
        "activated_slaves",
    }
    [agent] = [one for one in shown["slaves"] if one["id"] == target.agent_id]
    assert agent.keys() >= {"hostname", "pid", "resources", "used_resources", "attributes"}
    assert agent["resources"].keys() >= {"cpus", "mem", "disk", "gpus"}
    version = target.get("/version").json()["version"]
    assert all(part.isdigit() for part in version.split("."))


def test_redirect_leads_to_the_leader_without_a_scheme(target):
    answer = target.get("/redirect")
    assert answer.status == 307
    assert answer.headers["location"].startswith("//")


def test_health_is_an_empty_200(target):
    for url in (target.master, target.agent):
        assert request(url, "GET", "/health").status == 200


def test_a_task_is_in_every_list(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        running = mesos.status(name_of(made), "TASK_RUNNING")
        for path in ("/tasks", f"/tasks?task_id={name_of(made)}", "/tasks?limit=-1&order=asc"):
            found = [one for one in target.get(path).json()["tasks"] if one["id"] == name_of(made)]
            assert [one["state"] for one in found] == ["TASK_RUNNING"]
            assert found[0]["executor_id"] == ""
            assert found[0]["slave_id"] == target.agent_id
        state = target.get("/state").json()
        [framework] = [one for one in state["frameworks"] if one["id"] == mesos.id]
        assert [one["id"] for one in framework["tasks"]] == [name_of(made)]
        tasks = target.post(V1, {"type": "GET_TASKS"}).json()["get_tasks"]["tasks"]
        [shown] = [one for one in tasks if one["task_id"]["value"] == name_of(made)]
        assert shown["status_update_state"] == "TASK_RUNNING"
        assert shown["status_update_uuid"] == running["uuid"]
        here = request(target.agent, "GET", "/state").json()
        [own] = [one for one in here["frameworks"] if one["id"] == mesos.id]
        # The agent shows the command executor that the master does not.
        assert [one["id"] for one in own["executors"]] == [name_of(made)]
        assert own["executors"][0]["tasks"][0]["executor_id"] == name_of(made)


def test_files_show_a_sandbox_and_nothing_else(target):
    with target.framework() as mesos:
        made = task("t", "echo hello; sleep 600")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        runs = f"/frameworks/{mesos.id}/executors/{name_of(made)}/runs/latest"
        for path in (runs, directory_of(target, mesos)):
            listed = files(target, "browse", path)
            assert {"stdout", "stderr"} <= {one["path"].rpartition("/")[2] for one in listed}
        text = ""
        while text != "hello\n":
            text = files(target, "read", f"{runs}/stdout", offset=0)["data"]
        size = files(target, "read", f"{runs}/stdout", offset=-1)
        assert size == {"data": "", "offset": 6}
        past = files(target, "read", f"{runs}/stdout", offset=100)
        assert past["data"] == ""
        for path in ("/etc/passwd", f"{runs}/../../../../../../../../etc/passwd", "/nothing"):
            url = f"/files/read?path={quote(path)}&offset=0"
            assert request(target.agent, "GET", url).status == 404
        call = {"type": "READ_FILE", "read_file": {"path": f"{runs}/stdout", "offset": 0}}
        answer = request(target.agent, "POST", V1, call).json()
        assert answer["read_file"]["data"] == "aGVsbG8K"
        call = {"type": "LIST_FILES", "list_files": {"path": runs}}
        answer = request(target.agent, "POST", V1, call).json()
        infos = {one["path"]: one for one in answer["list_files"]["file_infos"]}
        told = infos[f"{runs}/stdout"]
        assert (told["size"], told["nlink"]) == (6, 1)
        assert stat.S_ISREG(told["mode"]), "the mode is a number, unlike that of /files/browse"
        [browsed] = [one for one in listed if one["path"].endswith("/stdout")]
        assert told["mtime"]["nanoseconds"] // 10**9 >= browsed["mtime"]
        assert (told["uid"], told["gid"]) == (browsed["uid"], browsed["gid"])


def directory_of(target, mesos):
    state = request(target.agent, "GET", "/state").json()
    [own] = [one for one in state["frameworks"] if one["id"] == mesos.id]
    return own["executors"][0]["directory"]


def files(target, what, path, **query):
    query = urlencode({"path": path, **query})
    answer = request(target.agent, "GET", f"/files/{what}?{query}")
    assert answer.status == 200, answer.body
    return answer.json()


def test_statistics_are_those_of_executors_with_what_mesos_adds(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        for path in ("/monitor/statistics", "/slave(1)/monitor/statistics", "/containers"):
            shown = request(target.agent, "GET", path).json()
            [own] = [one for one in shown if one["executor_id"] == name_of(made)]
            assert own["framework_id"] == mesos.id
            limits = own["statistics"]
            # The task's own, and 0.1 cpus and 32 MB for its command executor.
            assert limits["cpus_soft_limit"] == pytest.approx(0.2)
            assert limits["mem_limit_bytes"] == 64 << 20
            assert limits["timestamp"] > 0


def test_an_agent_tells_its_tasks_executors_and_containers(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")

        def read(kind, **body):
            answer = request(target.agent, "POST", V1, {"type": kind, **body}).json()
            return answer[kind.lower()]

        tasks = read("GET_TASKS")["launched_tasks"]
        assert name_of(made) in {one["task_id"]["value"] for one in tasks}
        executors = read("GET_EXECUTORS")["executors"]
        names = {one["executor_info"]["executor_id"]["value"] for one in executors}
        assert name_of(made) in names
        containers = read("GET_CONTAINERS", get_containers={"show_nested": True})["containers"]
        [own] = [one for one in containers if one["executor_id"]["value"] == name_of(made)]
        assert own["container_status"]["executor_pid"] > 0
        mesos.call("KILL", kill={"task_id": made["task_id"]})
        mesos.status(name_of(made), "TASK_KILLED")
        found = []
        while name_of(made) not in found:  # until the agent has heard of the acknowledgement
            ended = read("GET_TASKS").get("completed_tasks", [])
            found = [one["task_id"]["value"] for one in ended]


def test_the_event_stream_tells_of_frameworks_and_tasks_in_order(target):
    stream = Stream(target.master, V1, {"type": "SUBSCRIBE"})
    assert stream.status == 200
    first = stream.next()
    assert first["type"] == "SUBSCRIBED"
    assert first["subscribed"]["heartbeat_interval_seconds"] == 15.0
    assert "get_agents" in first["subscribed"]["get_state"]
    with target.framework() as mesos:
        made = task("t", "exit 0")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_FINISHED")
    told = []
    while not told or told[-1] != ("FRAMEWORK_REMOVED", mesos.id):
        told += about(stream.next(), mesos.id, name_of(made))
    assert told[0] == ("FRAMEWORK_ADDED", mesos.id)
    states = [what for kind, what in told if kind in ("TASK_ADDED", "TASK_UPDATED")]
    assert states == ["TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    stream.close()


def about(event, framework_id, task_id):
    """Return what an event says of a framework or a task."""
    match event:
        case {"type": "TASK_ADDED", "task_added": {"task": shown}}:
            found = shown["task_id"]["value"] == task_id
            return [("TASK_ADDED", shown["state"])] if found else []
        case {"type": "TASK_UPDATED", "task_updated": body}:
            found = body["status"]["task_id"]["value"] == task_id
            return [("TASK_UPDATED", body["state"])] if found else []
        case {"type": "FRAMEWORK_ADDED", "framework_added": body}:
            found = body["framework"]["framework_info"]["id"]["value"] == framework_id
            return [("FRAMEWORK_ADDED", framework_id)] if found else []
        case {"type": "FRAMEWORK_REMOVED", "framework_removed": body}:
            found = body["framework_info"]["id"]["value"] == framework_id
            return [("FRAMEWORK_REMOVED", framework_id)] if found else []
        case _:
            return []


def test_teardown_is_a_form_and_knows_its_frameworks(target):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert target.post("/teardown", b"", form).status == 400
    assert target.post("/teardown", b"frameworkId=nobody", form).status == 400
    with target.framework() as mesos:
        body = urlencode({"frameworkId": mesos.id}).encode()
        assert target.post("/master/teardown", body, form).status == 200
        while mesos.next() is not None:
            pass


def test_roles_are_those_in_use(target):
    with target.framework(role="contract/web") as mesos:
        shown = {one["name"]: one for one in target.get("/roles").json()["roles"]}
        assert mesos.id in shown["contract/web"]["frameworks"]
        assert "*" in shown
        call = target.post(V1, {"type": "GET_ROLES"}).json()["get_roles"]["roles"]
        assert "contract/web" in {one["name"] for one in call}


def test_metrics_are_numbers_and_follow_tasks(target):
    with target.framework() as mesos:
        before = target.get("/metrics/snapshot").json()
        assert all(isinstance(value, int | float) for value in before.values())
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        after = target.get("/metrics/snapshot").json()
        assert after["master/tasks_running"] == before["master/tasks_running"] + 1
        assert after["master/elected"] == 1


@pytest.mark.parametrize(
    "infos",
    [
        [{"role": "contract", "weight": 0.0}],
        [{"role": "contract", "weight": -1.0}],
        [{"weight": 2.0}],
    ],
)
def test_weights_are_positive_and_of_a_role(target, infos):
    call = {"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": infos}}
    assert target.post(V1, call).status == 400
    body = json.dumps(infos).encode()
    put = request(target.master, "PUT", "/weights", body, {"Content-Type": JSON})
    assert put.status == 400


def test_a_weight_is_kept(target):
    infos = [{"role": "contract-weighed", "weight": 2.5}]
    call = {"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": infos}}
    assert target.post(V1, call).status == 200
    assert infos[0] in target.get("/weights").json()
    got = target.post(V1, {"type": "GET_WEIGHTS"}).json()["get_weights"]["weight_infos"]
    assert infos[0] in got


# quota


def quota(role, force=False, **limits):
    values = {name: {"value": value} for name, value in limits.items()}
    config = {"role": role, "limits": values}
    return {"type": "UPDATE_QUOTA", "update_quota": {"force": force, "quota_configs": [config]}}


def test_quotas_are_updated_all_or_none(target):
    call = quota("contract-quota", cpus=2.0)
    call["update_quota"]["quota_configs"].append({"role": "a/nested/role", "limits": {}})
    call["update_quota"]["quota_configs"].append({"role": "", "limits": {"cpus": {"value": 1.0}}})
    assert target.post(V1, call).status == 400
    shown = target.post(V1, {"type": "GET_QUOTA"}).json()["get_quota"]
    configs = shown.get("status", {}).get("configs", [])
    assert "contract-quota" not in {one["role"] for one in configs}


def test_a_limit_holds_and_can_be_taken_away(target):
    role = "contract-limited"
    assert target.post(V1, quota(role, cpus=0.2)).status == 200
    try:
        with target.framework(role=role) as mesos:
            offer = mesos.offer(0.05)
            assert sum(
                one["scalar"]["value"] for one in offer["resources"] if one["name"] == "cpus"
            ) == pytest.approx(0.2)
            made = task("t")
            mesos.launch(made, offer=offer)
            mesos.status(name_of(made), "TASK_RUNNING")
            assert target.post(V1, quota(role, cpus=0.05)).status == 400
            assert target.post(V1, quota(role, force=True, cpus=0.05)).status == 200
    finally:
        assert target.post(V1, quota(role, force=True)).status == 200


def test_guarantees_beyond_the_cluster_need_force(target):
    role = "contract-greedy"
    values = {"cpus": {"value": 1e6}}
    config = {"role": role, "guarantees": values, "limits": values}
    call = {"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": [config]}}
    assert target.post(V1, call).status == 400
