"""Where tasks run, what they are told, and how their files are read (mesos.md, 1.3 and 2.8)."""

import json
import time
from urllib.parse import quote, urlencode

import pytest

from support.mesos_clusters import own, until
from support.mesos_contract import amounts, name_of, request, task

V1 = "/api/v1"


@pytest.fixture
def framework(target):
    with target.framework() as made:
        yield made


def sandbox(mesos, name):
    return f"/frameworks/{mesos.id}/executors/{name}/runs/latest"


def read(mesos, path, offset=0, length=60000):
    query = urlencode({"path": path, "offset": offset, "length": length})
    answer = request(mesos.target.agent, "GET", f"/files/read?{query}")
    return answer.json()["data"] if answer.status == 200 else ""


def printed(mesos, made, executor=None, end="done\n"):
    """Wait until a task has printed its last word, and return the lines."""
    path = f"{sandbox(mesos, executor or name_of(made))}/stdout"
    return until(lambda: text if (text := read(mesos, path)).endswith(end) else "").splitlines()


def environment(mesos, **fields):
    """Run a task that prints its environment, and return it."""
    mesos.launch(made := task("t", "env; echo done", **fields))
    mesos.status(name_of(made), "TASK_FINISHED")
    lines = printed(mesos, made)
    return dict(line.split("=", 1) for line in lines if "=" in line)


def agent_of(target):
    shown = target.get("/slaves").json()["slaves"]
    return next(one for one in shown if one["id"] == target.agent_id)


# environments

VARIABLES = [{"name": "MINE", "value": "a b"}, {"name": "PORT0", "value": "31000"}]


def test_a_command_task_has_the_environment_of_an_executor(target, framework):
    command = {"value": "env; echo done", "environment": {"variables": VARIABLES}}
    found = environment(framework, command=command)
    pid = agent_of(target)["pid"]
    assert found["MESOS_FRAMEWORK_ID"] == framework.id
    assert found["MESOS_SLAVE_ID"] == target.agent_id
    assert found["MESOS_SLAVE_PID"] == pid
    assert found["MESOS_AGENT_ENDPOINT"] == pid.partition("@")[2]
    assert found["MESOS_SANDBOX"] == found["MESOS_DIRECTORY"] == found["PWD"]
    assert found["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] == "5secs"
    assert found["MESOS_CHECKPOINT"] == "0"
    assert found["LIBPROCESS_PORT"] == "0"
    assert "MESOS_RECOVERY_TIMEOUT" not in found
    assert "MESOS_DOMAIN_SOCKET" not in found
    assert (found["MINE"], found["PORT0"]) == ("a b", "31000")
    assert "PORT" not in found
    assert found["MESOS_DIRECTORY"].endswith(
        f"/executors/{found['MESOS_EXECUTOR_ID']}/runs/"
        + found["MESOS_DIRECTORY"].rpartition("/")[2]
    )


def test_executors_of_checkpointing_frameworks_are_told_how_long_to_wait(target):
    with target.framework(checkpoint=True) as mesos:
        found = environment(mesos)
        assert found["MESOS_CHECKPOINT"] == "1"
        assert found["MESOS_RECOVERY_TIMEOUT"] == "15mins"
        assert found["MESOS_SUBSCRIPTION_BACKOFF_MAX"].endswith("secs")


def test_a_tasks_own_variables_win(framework):
    variables = [{"name": "PATH", "value": "/bin:/usr/bin:/mine"}]
    command = {"value": "env; echo done", "environment": {"variables": variables}}
    assert environment(framework, command=command)["PATH"] == "/bin:/usr/bin:/mine"


def test_a_groups_tasks_are_told_less(framework):
    offer = framework.offer(0.3)
    executor = {
        "executor_id": {"value": "x"},
        "type": "DEFAULT",
        "framework_id": {"value": framework.id},
        "resources": amounts(cpus=0.1, mem=32, disk=1),
    }
    made = {**task("t", "env; echo done; sleep 600"), "agent_id": offer["agent_id"]}
    group = {"executor": executor, "task_group": {"tasks": [made]}}
    framework.accept([offer], {"type": "LAUNCH_GROUP", "launch_group": group})
    running = framework.status(name_of(made), "TASK_RUNNING")
    container = running["container_status"]["container_id"]["value"]
    path = f"{sandbox(framework, 'x')}/containers/{container}/stdout"
    lines = until(
        lambda: text if (text := read(framework, path)).endswith("done\n") else ""
    ).splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found.keys() >= {"MESOS_SANDBOX", "MESOS_CONTAINER_IP", "MESOS_ALLOCATION_ROLE", "PATH"}
    assert "MESOS_FRAMEWORK_ID" not in found
    assert "MESOS_SLAVE_PID" not in found
    assert found["MESOS_SANDBOX"].endswith(f"/containers/{container}")
    # The sandbox of a task is also found by its name.
    by_name = f"{sandbox(framework, 'x')}/tasks/{name_of(made)}/stdout"
    assert read(framework, by_name).endswith("done\n")


def test_a_command_starts_in_its_sandbox(framework):
    framework.launch(made := task("t", "pwd; ls; echo done"))
    framework.status(name_of(made), "TASK_FINISHED")
    lines = printed(framework, made)
    assert "/slaves/" in lines[0]
    assert {"stdout", "stderr"} <= set(lines)


def test_both_outputs_are_files(framework):
    framework.launch(made := task("t", "echo out; echo err >&2; echo done"))
    framework.status(name_of(made), "TASK_FINISHED")
    assert "out" in printed(framework, made)
    assert "err" in read(framework, f"{sandbox(framework, name_of(made))}/stderr")


# files


def test_a_read_is_cut_at_sixteen_pages_and_goes_on_where_it_stopped(framework):
    framework.launch(made := task("t", "yes x | head -c 100000 > big; echo done"))
    framework.status(name_of(made), "TASK_FINISHED")
    path = f"{sandbox(framework, name_of(made))}/big"
    assert len(read(framework, path, length=100000)) == 16 * 4096
    assert len(read(framework, path, offset=16 * 4096, length=100000)) == 100000 - 16 * 4096
    assert len(read(framework, path, length=10)) == 10
    query = urlencode({"path": path, "offset": -1})
    answer = request(framework.target.agent, "GET", f"/files/read?{query}").json()
    assert answer == {"data": "", "offset": 100000}


def test_a_file_can_be_downloaded_whole(framework):
    framework.launch(made := task("t", "yes x | head -c 100000 > big; echo done"))
    framework.status(name_of(made), "TASK_FINISHED")
    query = urlencode({"path": f"{sandbox(framework, name_of(made))}/big"})
    answer = request(framework.target.agent, "GET", f"/files/download?{query}")
    assert answer.status == 200
    assert answer.body == b"x\n" * 50000
    assert "big" in answer.headers["content-disposition"]


def test_a_listing_says_what_ls_says(framework):
    framework.launch(made := task("t", "mkdir d; echo 12345 > f; chmod 600 f; echo done"))
    framework.status(name_of(made), "TASK_FINISHED")
    path = sandbox(framework, name_of(made))
    url = f"/files/browse?{urlencode({'path': path})}"
    listed = request(framework.target.agent, "GET", url).json()
    found = {one["path"].rpartition("/")[2]: one for one in listed}
    assert (found["f"]["size"], found["f"]["mode"]) == (6, "-rw-------")
    assert found["d"]["mode"].startswith("d")
    assert found["f"].keys() >= {"uid", "gid", "mtime", "nlink"}
    call = {"type": "LIST_FILES", "list_files": {"path": path}}
    answer = request(framework.target.agent, "POST", V1, call).json()
    infos = {one["path"].rpartition("/")[2]: one for one in answer["list_files"]["file_infos"]}
    assert infos["f"]["size"] == 6


def test_what_is_not_there_is_404_and_what_is_not_asked_right_400(target):
    for path in ("/files/read", "/files/browse", "/files/download"):
        assert request(target.agent, "GET", path).status == 400
        assert request(target.agent, "GET", f"{path}?path=/nobody").status == 404
    for call in (
        {"type": "READ_FILE", "read_file": {"path": "/nobody", "offset": 0}},
        {"type": "LIST_FILES", "list_files": {"path": "/nobody"}},
    ):
        assert request(target.agent, "POST", V1, call).status == 404
    assert request(target.agent, "GET", "/files/debug").status == 200


def test_a_link_out_of_a_sandbox_is_not_followed(framework):
    framework.launch(made := task("t", "ln -s /etc/passwd out; echo done"))
    framework.status(name_of(made), "TASK_FINISHED")
    path = f"{sandbox(framework, name_of(made))}/out"
    url = f"/files/read?path={quote(path)}&offset=0"
    assert request(framework.target.agent, "GET", url).status == 404


def test_a_sandbox_goes_when_its_time_is_over():
    with own() as cluster:
        cluster.add("--gc_delay=1secs", "--disk_watch_interval=1secs")
        with cluster.target.framework() as mesos:
            mesos.launch(made := task("t", "exit 0"))
            mesos.status(name_of(made), "TASK_FINISHED")
            query = urlencode({"path": f"{sandbox(mesos, name_of(made))}/stdout", "offset": 0})
            url = f"/files/read?{query}"
            until(lambda: request(mesos.target.agent, "GET", url).status == 404)
            assert removals(mesos.target.agent) >= 1


def removals(agent):
    """Return how many sandboxes an agent says that it has deleted."""
    return request(agent, "GET", "/metrics/snapshot").json()["gc/path_removals_succeeded"]


# users, limits, disk


def test_a_task_runs_as_the_user_that_its_command_names(target):
    if target.user != "root":
        pytest.skip("only root may run tasks as others")
    with target.framework() as mesos:
        command = {"value": "id -un; echo done", "user": "nobody"}
        mesos.launch(made := task("t", None, command=command))
        mesos.status(name_of(made), "TASK_FINISHED")
        assert "nobody" in printed(mesos, made)


def test_a_user_that_does_not_exist_fails_the_task(framework):
    command = {"value": "true", "user": "no-such-user"}
    framework.launch(made := task("t", None, command=command))
    failed = framework.status(name_of(made), "TASK_FAILED")
    assert "no-such-user" in failed["message"]


def test_a_program_that_does_not_exist_fails_the_task(framework):
    command = {"shell": False, "value": "/no/such/program", "arguments": ["x"]}
    framework.launch(made := task("t", None, command=command))
    framework.status(name_of(made), "TASK_FAILED")


def test_the_time_of_an_update_is_now(framework):
    before = time.time()
    framework.launch(made := task("t", "exit 0"))
    framework.status(name_of(made), "TASK_FINISHED")
    assert all(before - 60 < one["timestamp"] < time.time() + 60 for one in framework.updates)


# where files are on the machine, and the agent's own log


def test_a_sandbox_is_where_tools_look_for_it(target):
    if target.directory is None:
        pytest.skip("the agent may be on another machine")
    with target.framework() as mesos:
        mesos.launch(made := task("t", "sleep 600"))
        status = mesos.status(name_of(made), "TASK_RUNNING")
        frameworks = target.directory / "slaves" / target.agent_id / "frameworks"
        runs = frameworks / mesos.id / "executors" / name_of(made) / "runs"
        container = status["container_status"]["container_id"]["value"]
        assert (runs / container / "stdout").is_file()
        assert (runs / "latest").resolve() == (runs / container).resolve()


def test_an_agents_log_is_read_by_those_who_may(tmp_path):
    log = tmp_path / "log"
    log.write_text("hello")
    lists = tmp_path / "acls.json"
    nobody = {"principals": {"type": "ANY"}, "logs": {"type": "NONE"}}
    lists.write_text(json.dumps({"access_mesos_logs": [nobody]}))
    with own() as cluster:
        opened = cluster.add(f"--log_file={log}")
        closed = cluster.add(f"--log_file={log}", f"--acls={lists}")
        path = "/files/read?path=/slave/log&offset=0"
        assert request(opened.url, "GET", path).json()["data"] == "hello"
        assert request(closed.url, "GET", path).status == 403
        call = {"type": "READ_FILE", "read_file": {"path": "/slave/log", "offset": 0}}
        assert request(opened.url, "POST", V1, call).status == 200
        assert request(closed.url, "POST", V1, call).status == 403
