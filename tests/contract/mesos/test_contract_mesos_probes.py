"""Checks and health checks by HTTP and TCP, limits, and groups (mesos.md, 1.3)."""

import socket
import uuid

import pytest

from support.mesos_contract import amounts, name_of, task

FAST = {"delay_seconds": 0.0, "interval_seconds": 0.2, "grace_period_seconds": 0.0}

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code = int(self.path.strip('/'))
        self.send_response(code)
        if code == 302:
            self.send_header('Location', '/204')
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer(('127.0.0.1', {port}), Handler).serve_forever()
"""


@pytest.fixture
def port():
    """Give a port that is free on this machine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = taken.getsockname()[1]
    return found


def serving(port, **fields):
    """Return a task that answers /200 with 200, /500 with 500 and so on."""
    source = SERVER.format(port=port)
    command = {"shell": False, "value": "python3", "arguments": ["python3", "-c", source]}
    return task("serves", None, command=command, resources=amounts(cpus=0.1, mem=64), **fields)


def healths(mesos):
    return [one["healthy"] for one in mesos.updates if "healthy" in one]


@pytest.fixture
def framework(target):
    with target.framework() as made:
        yield made


# health checks


@pytest.mark.parametrize("path", ["/200", "/302", "/399"])
def test_an_answer_from_200_to_399_is_healthy(framework, port, path):
    check = {"type": "HTTP", "http": {"port": port, "path": path}, **FAST}
    made = serving(port, health_check={**check, "grace_period_seconds": 30.0})
    framework.launch(made)
    framework.until(lambda: healths(framework))
    assert healths(framework)[-1] is True


@pytest.mark.parametrize("path", ["/404", "/500"])
def test_any_other_answer_is_not_healthy(framework, port, path):
    check = {"type": "HTTP", "http": {"port": port, "path": path}, **FAST}
    framework.launch(made := serving(port, health_check=check))
    killed = framework.status(name_of(made), "TASK_KILLED")
    assert killed["healthy"] is False
    assert set(healths(framework)) == {False}


def test_a_port_that_accepts_is_healthy(framework, port):
    check = {"type": "TCP", "tcp": {"port": port}, **FAST, "grace_period_seconds": 30.0}
    framework.launch(serving(port, health_check=check))
    framework.until(lambda: healths(framework))
    assert healths(framework)[-1] is True


def test_a_port_that_does_not_accept_is_not(framework, port):
    check = {"type": "TCP", "tcp": {"port": port}, **FAST}
    framework.launch(made := task("t", health_check=check))
    assert framework.status(name_of(made), "TASK_KILLED")["healthy"] is False


def test_failures_within_the_grace_period_do_not_count(framework):
    command = {"value": "echo x >> n; [ $(wc -l < n) -gt 4 ]"}
    check = {"type": "COMMAND", "command": command, **FAST, "grace_period_seconds": 600.0}
    framework.launch(made := task("t", health_check=check))
    framework.until(lambda: healths(framework))
    assert healths(framework) == [True]
    assert framework.states(name_of(made))[-1] == "TASK_RUNNING"


def test_so_many_failures_in_a_row_as_were_said(framework):
    check = {"type": "COMMAND", "command": {"value": "false"}, **FAST, "consecutive_failures": 1}
    framework.launch(made := task("t", health_check=check))
    framework.status(name_of(made), "TASK_KILLED")
    assert healths(framework) == [False, False]  # the failure, and the end


def test_a_check_that_takes_too_long_has_failed(framework):
    command = {"value": "sleep 600"}
    check = {"type": "COMMAND", "command": command, **FAST, "timeout_seconds": 0.2}
    framework.launch(made := task("t", health_check={**check, "consecutive_failures": 1}))
    assert framework.status(name_of(made), "TASK_KILLED")["healthy"] is False


# checks


def test_a_check_over_http_tells_the_code(framework, port):
    check = {"type": "HTTP", "http": {"port": port, "path": "/404"}, "delay_seconds": 0.0}
    framework.launch(made := serving(port, check={**check, "interval_seconds": 0.2}))

    def codes():
        found = [one.get("check_status", {}).get("http", {}) for one in framework.updates]
        return [one["status_code"] for one in found if "status_code" in one]

    framework.until(codes)
    assert codes()[-1] == 404
    assert framework.states(name_of(made))[-1] == "TASK_RUNNING"  # it is told, and that is all


def test_a_check_over_tcp_tells_whether_it_succeeded(framework, port):
    check = {"type": "TCP", "tcp": {"port": port}, "delay_seconds": 0.0, "interval_seconds": 0.2}
    framework.launch(serving(port, check=check))

    def results():
        found = [one.get("check_status", {}).get("tcp", {}) for one in framework.updates]
        return [one["succeeded"] for one in found if "succeeded" in one]

    framework.until(lambda: True in results())


def test_the_last_health_is_said_when_somebody_asks(framework, port):
    check = {"type": "TCP", "tcp": {"port": port}, **FAST, "grace_period_seconds": 30.0}
    framework.launch(made := serving(port, health_check=check))
    framework.until(lambda: True in healths(framework))
    framework.call("RECONCILE", reconcile={"tasks": [{"task_id": made["task_id"]}]})
    framework.until(lambda: framework.updates[-1].get("reason") == "REASON_RECONCILIATION")
    assert framework.updates[-1]["healthy"] is True
    assert framework.updates[-1]["container_status"]["container_id"]["value"]


# limits, kill policies, groups


def test_a_limit_may_be_infinite(framework):
    limits = {"cpus": {"value": "Infinity"}, "mem": {"value": "Infinity"}}
    framework.launch(made := task("t", "exit 0", limits=limits))
    framework.status(name_of(made), "TASK_FINISHED")


def test_a_tasks_own_grace_is_what_a_kill_gives(framework):
    text = "trap 'echo asked > asked' TERM; while :; do sleep 0.1; done"
    policy = {"grace_period": {"nanoseconds": 3 * 10**8}}
    framework.launch(made := task("t", text, kill_policy=policy))
    framework.status(name_of(made), "TASK_RUNNING")
    framework.call("KILL", kill={"task_id": made["task_id"]})
    framework.status(name_of(made), "TASK_KILLED")


def test_a_task_that_ends_in_its_grace_was_killed_all_the_same(framework):
    framework.launch(made := task("t", "trap 'exit 0' TERM; while :; do sleep 0.1; done"))
    framework.status(name_of(made), "TASK_RUNNING")
    framework.call("KILL", kill={"task_id": made["task_id"]})
    framework.status(name_of(made), "TASK_KILLED")


def launch_group(mesos, *tasks):
    offer = mesos.offer(0.1 * len(tasks) + 0.1)
    executor = {
        "executor_id": {"value": "x"},
        "type": "DEFAULT",
        "framework_id": {"value": mesos.id},
        "resources": amounts(cpus=0.1, mem=32, disk=1),
    }
    infos = [{"agent_id": offer["agent_id"], **one} for one in tasks]
    group = {"executor": executor, "task_group": {"tasks": infos}}
    mesos.accept([offer], {"type": "LAUNCH_GROUP", "launch_group": group})


def test_other_groups_of_an_executor_survive(framework):
    launch_group(framework, stays := task("stays"))
    framework.status(name_of(stays), "TASK_RUNNING")
    launch_group(framework, fails := task("fails", "sleep 0.5; exit 1"), goes := task("goes"))
    framework.status(name_of(fails), "TASK_FAILED")
    framework.status(name_of(goes), "TASK_KILLED")
    asked = [{"task_id": stays["task_id"]}]
    framework.call("RECONCILE", reconcile={"tasks": asked})
    framework.until(lambda: framework.updates[-1].get("reason") == "REASON_RECONCILIATION")
    assert framework.updates[-1]["state"] == "TASK_RUNNING"


def test_killing_one_of_a_group_ends_the_others(framework):
    launch_group(framework, one := task("a"), other := task("b"))
    for made in (one, other):
        framework.status(name_of(made), "TASK_RUNNING")
    framework.call("KILL", kill={"task_id": one["task_id"]})
    for made in (one, other):
        framework.status(name_of(made), "TASK_KILLED")


def test_a_task_of_a_group_may_not_be_a_docker_container(framework):
    made = task("t", container={"type": "DOCKER", "docker": {"image": "busybox"}})
    launch_group(framework, made)
    error = framework.status(name_of(made), "TASK_ERROR")
    assert error["reason"] == "REASON_TASK_GROUP_INVALID"


def test_tasks_of_a_group_agree_about_their_cgroups(framework):
    apart = {"type": "MESOS", "linux_info": {"share_cgroups": False}}
    one, other = task("a", container=apart), task("b")
    launch_group(framework, one, other)
    for made in (one, other):
        framework.status(name_of(made), "TASK_ERROR")


def test_limits_in_a_group_need_cgroups_of_their_own(framework):
    made = task("t", limits={"mem": {"value": 64.0}})
    launch_group(framework, made)
    framework.status(name_of(made), "TASK_ERROR")


def test_ids_of_containers_of_a_group_are_below_their_executors(framework):
    launch_group(framework, made := task(f"t-{uuid.uuid4().hex[:4]}"))
    running = framework.status(name_of(made), "TASK_RUNNING")
    nested = running["container_status"]["container_id"]
    assert nested["value"]
    assert nested["parent"]["value"]
    assert "parent" not in nested["parent"]
