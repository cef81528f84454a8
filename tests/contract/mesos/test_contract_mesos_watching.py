"""Event streams of operators, metrics, and calls to administer (mesos.md, 1.5)."""

import json
from urllib.parse import quote, urlencode

import pytest

from support.mesos_clusters import own, until
from support.mesos_contract import Stream, amounts, name_of, request, task
from support.mesos_executors import executor

V1 = "/api/v1"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def operate(target, kind, **body):
    call = {"type": kind, **({kind.lower(): body} if body else {})}
    return target.post(V1, call)


def watching(target):
    """Return an operator's stream that has heard its snapshot, and the snapshot."""
    stream = Stream(target.master, V1, {"type": "SUBSCRIBE"})
    first = stream.next()
    assert first["type"] == "SUBSCRIBED"
    return stream, first["subscribed"]["get_state"]


def told(stream, kind):
    """Wait for an event of a kind, and return it."""
    while (event := stream.next())["type"] != kind:
        pass
    return event[kind.lower()]


# event streams


def test_a_watcher_is_told_when_a_framework_changes_and_goes(target):
    with target.framework(name="before") as mesos:
        stream, snapshot = watching(target)
        shown = [one["framework_info"] for one in snapshot["get_frameworks"]["frameworks"]]
        assert mesos.id in {one["id"]["value"] for one in shown}
        info = {**mesos.info, "id": {"value": mesos.id}, "name": "after"}
        mesos.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})
        updated = told(stream, "FRAMEWORK_UPDATED")["framework"]["framework_info"]
        assert (updated["id"]["value"], updated["name"]) == (mesos.id, "after")
    removed = told(stream, "FRAMEWORK_REMOVED")["framework_info"]
    assert removed["id"]["value"] == mesos.id
    stream.close()


def test_a_watcher_sees_what_runs_already(target):
    with target.framework() as mesos:
        mesos.launch(made := task("t"))
        mesos.status(name_of(made), "TASK_RUNNING")
        stream, snapshot = watching(target)
        tasks = {one["task_id"]["value"]: one for one in snapshot["get_tasks"]["tasks"]}
        assert tasks[name_of(made)]["state"] == "TASK_RUNNING"
        stream.close()


def test_a_watcher_hears_of_health_and_of_no_offers(target):
    check = {"type": "COMMAND", "command": {"value": "true"}, "delay_seconds": 0.0}
    stream, _ = watching(target)
    with target.framework() as mesos:
        mesos.launch(made := task("t", health_check={**check, "interval_seconds": 0.2}))
        mesos.until(lambda: any("healthy" in one for one in mesos.updates))
    kinds, healthy = set(), []
    while "FRAMEWORK_REMOVED" not in kinds:
        event = stream.next()
        kinds.add(event["type"])
        if event["type"] == "TASK_UPDATED":
            healthy.append(event["task_updated"]["status"].get("healthy"))
    assert True in healthy
    assert kinds <= {
        "HEARTBEAT",
        "FRAMEWORK_ADDED",
        "TASK_ADDED",
        "TASK_UPDATED",
        "FRAMEWORK_REMOVED",
    }
    assert name_of(made)
    stream.close()


def test_a_watcher_hears_of_agents():
    with own() as cluster:
        cluster.add()
        target = cluster.target
        stream, _ = watching(target)
        second = cluster.add()
        added = told(stream, "AGENT_ADDED")["agent"]
        assert added["agent_info"]["id"]["value"] == cluster.id_of(second)
        agent_id = added["agent_info"]["id"]
        assert operate(target, "MARK_AGENT_GONE", agent_id=agent_id).status == 200
        assert told(stream, "AGENT_REMOVED")["agent_id"] == agent_id
        stream.close()


def test_one_watcher_too_many_ends_the_oldest():
    with own("--max_operator_event_stream_subscribers=1") as cluster:
        cluster.add()
        first, _ = watching(cluster.target)
        second, _ = watching(cluster.target)
        while first.next() is not None:
            pass
        first.close()
        second.close()


# metrics

MASTER_NUMBERS = [
    "elected",
    "uptime_secs",
    "slaves_active",
    "slaves_connected",
    "slaves_disconnected",
    "slaves_inactive",
    "slaves_unreachable",
    "frameworks_active",
    "frameworks_connected",
    "frameworks_disconnected",
    "frameworks_inactive",
    "outstanding_offers",
    "tasks_staging",
    "tasks_starting",
    "tasks_running",
    "tasks_killing",
    "tasks_finished",
    "tasks_failed",
    "tasks_killed",
    "tasks_lost",
    "tasks_error",
    "tasks_dropped",
    "tasks_gone",
    "tasks_gone_by_operator",
    "tasks_unreachable",
    "cpus_total",
    "cpus_used",
    "cpus_percent",
    "mem_total",
    "mem_used",
    "mem_percent",
    "disk_total",
    "disk_used",
    "disk_percent",
    "gpus_total",
    "gpus_used",
    "gpus_percent",
    "messages_launch_tasks",
    "messages_kill_task",
    "messages_status_update",
    "messages_register_framework",
    "event_queue_messages",
    "event_queue_dispatches",
    "event_queue_http_requests",
    "dropped_messages",
    "recovery_slave_removals",
    "slave_registrations",
    "slave_reregistrations",
    "slave_removals",
    "slave_shutdowns_scheduled",
    "slave_shutdowns_completed",
    "slave_shutdowns_canceled",
]
OTHER_NUMBERS = [
    "registrar/state_store_ms",
    "registrar/state_store_ms/p99",
    "registrar/state_fetch_ms",
    "registrar/queued_operations",
    "allocator/mesos/allocation_run_ms",
    "allocator/mesos/allocation_run_ms/p99",
    "allocator/mesos/allocation_run_latency_ms",
    "allocator/mesos/roles/*/shares/dominant",
    "system/cpus_total",
    "system/load_1min",
    "system/mem_free_bytes",
]
AGENT_NUMBERS = [
    "registered",
    "uptime_secs",
    "executors_running",
    "executors_terminated",
    "frameworks_active",
    "tasks_staging",
    "tasks_starting",
    "tasks_running",
    "tasks_finished",
    "tasks_failed",
    "tasks_killed",
    "tasks_lost",
    "container_launch_errors",
    "recovery_errors",
    "valid_status_updates",
    "invalid_status_updates",
    "cpus_total",
    "cpus_used",
    "cpus_percent",
    "mem_total",
    "mem_used",
    "mem_percent",
    "disk_total",
    "disk_used",
    "disk_percent",
    "cpus_revocable_total",
    "gpus_revocable_percent",
    "executors_registering",
    "executors_terminating",
    "executor_directory_max_allowed_age_secs",
    "recovery_time_secs",
]
OTHER_AGENT_NUMBERS = [
    "system/mem_total_bytes",
    "containerizer/fetcher/cache_size_total_bytes",
    "containerizer/fetcher/cache_size_used_bytes",
    "containerizer/fetcher/task_fetches_failed",
    "containerizer/fetcher/task_fetches_succeeded",
    "gc/path_removals_failed",
    "gc/path_removals_pending",
    "gc/path_removals_succeeded",
]


def fetching(path):
    """Return a task that fetches a file and then stays."""
    command = {"value": "sleep 600", "shell": True, "uris": [{"value": f"file://{path}"}]}
    return task("fetches", None, command=command)


def numbers(url):
    return request(url, "GET", "/metrics/snapshot").json()


def test_the_numbers_that_dashboards_of_masters_know_are_there(target):
    with target.framework() as mesos:
        mesos.decline(mesos.offer())
        wanted = {*(f"master/{name}" for name in MASTER_NUMBERS), *OTHER_NUMBERS}
        assert sorted(wanted - numbers(target.master).keys()) == []


def test_the_numbers_that_dashboards_of_agents_know_are_there(target):
    wanted = {*(f"slave/{name}" for name in AGENT_NUMBERS), *OTHER_AGENT_NUMBERS}
    assert sorted(wanted - numbers(target.agent).keys()) == []


def test_the_numbers_of_an_agent_follow_its_tasks(target):
    before = numbers(target.agent)
    with target.framework() as mesos:
        mesos.launch(made := task("t", "exit 1"), stays := task("u"), offer=mesos.offer(0.2))
        mesos.status(name_of(made), "TASK_FAILED")
        mesos.status(name_of(stays), "TASK_RUNNING")
        after = numbers(target.agent)
        for name, more in (("slave/tasks_failed", 1), ("slave/tasks_running", 1)):
            assert after[name] - before[name] == more, name
        assert after["slave/valid_status_updates"] > before["slave/valid_status_updates"]
        assert after["slave/cpus_used"] > before["slave/cpus_used"]


def test_fetches_are_counted_by_how_they_ended(target, tmp_path):
    there = tmp_path / "there"
    there.write_text("x")
    fetches = "containerizer/fetcher/task_fetches"
    before = numbers(target.agent)
    with target.framework() as mesos:
        mesos.launch(good := fetching(there), bad := fetching(tmp_path / "no"))
        mesos.status(name_of(good), "TASK_RUNNING")
        mesos.status(name_of(bad), "TASK_FAILED")
        after = numbers(target.agent)
        for name in (f"{fetches}_succeeded", f"{fetches}_failed"):
            assert after[name] - before[name] == 1, name


def test_each_framework_has_numbers_of_its_own(target):
    with target.framework(name="a name/with all") as mesos:
        mesos.launch(made := task("t"))
        mesos.status(name_of(made), "TASK_RUNNING")
        found = numbers(target.master)
        prefix = f"master/frameworks/{quote('a name/with all', safe='')}/{mesos.id}/"
        assert found[f"{prefix}subscribed"] == 1
        assert found[f"{prefix}calls/accept"] == 1
        assert found[f"{prefix}events/offers"] >= 1
        assert found[f"{prefix}offers/sent"] >= 1
        assert found[f"{prefix}tasks/active/task_running"] == 1


def test_numbers_are_the_same_by_call(target):
    for url in (target.master, target.agent):
        answer = request(url, "POST", V1, {"type": "GET_METRICS", "get_metrics": {}}).json()
        names = {one["name"] for one in answer["get_metrics"]["metrics"]}
        assert names & numbers(url).keys()
        assert "system/cpus_total" in names


# administration


def test_versions_say_when_and_by_whom_they_were_made(target):
    for url in (target.master, target.agent):
        for path in ("/version", "/state"):
            shown = request(url, "GET", path).json()
            assert shown.keys() >= {"version", "build_date", "build_time", "build_user"}
        info = request(url, "POST", V1, {"type": "GET_VERSION"}).json()["get_version"]
        assert info["version_info"]["build_time"] == shown["build_time"]


def test_a_framework_is_torn_down_by_call(target):
    with target.framework() as mesos:
        body = {"framework_id": {"value": mesos.id}}
        assert operate(target, "TEARDOWN", **body).status == 200
        while mesos.next() is not None:
            pass
    assert operate(target, "TEARDOWN", framework_id={"value": "nobody"}).status == 400


def test_the_level_of_the_log_is_changed_for_a_while(target):
    body = {"level": 1, "duration": {"nanoseconds": 10**9}}
    for url in (target.master, target.agent):
        call = {"type": "SET_LOGGING_LEVEL", "set_logging_level": body}
        assert request(url, "POST", V1, call).status == 200
        found = request(url, "POST", V1, {"type": "GET_LOGGING_LEVEL"}).json()
        assert found["get_logging_level"]["level"] == 1
        assert request(url, "GET", "/logging/toggle?level=1&duration=1secs").status == 200


def test_files_of_a_master_are_listed_and_read(target):
    for path in ("/files/browse?path=/nobody", "/files/read?path=/nobody"):
        assert target.get(path).status == 404
    assert operate(target, "LIST_FILES", path="/nobody").status == 404
    assert operate(target, "READ_FILE", path="/nobody", offset=0).status == 404
    assert target.get("/files/debug").status == 200


def test_machines_go_down_and_up_by_the_old_paths(target):
    machine = {"hostname": "contract-old", "ip": "192.0.2.9"}
    window = {"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 4 * 10**18}}}
    assert target.post("/maintenance/schedule", {"windows": [window]}).status == 200
    down = json.dumps([machine]).encode()
    kind = {"Content-Type": "application/json"}
    assert target.post("/machine/down", down, kind).status == 200
    assert target.get("/maintenance/status").json() == {"down_machines": [machine]}
    assert target.post("/machine/up", down, kind).status == 200
    assert target.get("/maintenance/schedule").json() == {}


def test_an_agent_that_is_down_for_maintenance_may_not_register():
    with own() as cluster:
        agent = cluster.add()
        target = cluster.target
        [shown] = cluster.shown()
        machine = {"hostname": shown["hostname"], "ip": "127.0.0.1"}
        unavailable = {"start": {"nanoseconds": 10**18}}
        schedule = {"windows": [{"machine_ids": [machine], "unavailability": unavailable}]}
        assert operate(target, "UPDATE_MAINTENANCE_SCHEDULE", schedule=schedule).status == 200
        assert operate(target, "START_MAINTENANCE", machines=[machine]).status == 200
        until(lambda: cluster.shown() == [])
        until(lambda: agent.child.poll() is not None)  # it was told to end
        agent.start()
        until(lambda: agent.child.poll() is not None)  # and may not come back
        assert cluster.shown() == []
        assert operate(target, "STOP_MAINTENANCE", machines=[machine]).status == 200
        agent.start()
        cluster.id_of(agent)


def test_lists_of_tasks_are_cut_ordered_and_filtered(target):
    with target.framework() as mesos:
        made = [task("t", "exit 0") for _ in range(3)]
        for one in made:
            mesos.launch(one)
            mesos.status(name_of(one), "TASK_FINISHED")

        def names(**query):
            url = f"/tasks?{urlencode({'framework_id': mesos.id, **query})}"
            return [one["id"] for one in target.get(url).json()["tasks"]]

        until(lambda: sorted(names()) == sorted(map(name_of, made)))
        assert len(names(limit=2)) == 2
        assert names(limit=2, offset=2) + names(limit=2) != []
        assert names(task_id=name_of(made[1])) == [name_of(made[1])]
        assert names(order="asc") == names(order="desc")[::-1]


def test_one_agent_or_framework_may_be_asked_for(target):
    found = target.get(f"/slaves?slave_id={target.agent_id}").json()["slaves"]
    assert [one["id"] for one in found] == [target.agent_id]
    assert target.get("/slaves?slave_id=nobody").json()["slaves"] == []
    assert target.get("/frameworks?framework_id=nobody").json()["frameworks"] == []


def test_executors_are_shown_with_their_commands(target):
    with target.framework() as mesos:
        shown = executor("shown")
        variables = [
            {"name": "A", "value": "1"},
            {"name": "S", "type": "SECRET", "secret": {"type": "VALUE", "value": {"data": "eA=="}}},
        ]
        shown["command"]["environment"] = {"variables": variables}
        mesos.launch(made := task("t", None, executor=shown), offer=mesos.offer(0.2))
        mesos.status(name_of(made), "TASK_RUNNING")
        [framework] = [
            one for one in target.get("/state").json()["frameworks"] if one["id"] == mesos.id
        ]
        [own_one] = framework["executors"]
        assert own_one["executor_id"] == "shown"
        assert own_one["command"]["argv"][0] == "python3"
        found = own_one["command"]["environment"]["variables"]
        assert found[0] == {"name": "A", "value": "1"}
        assert found[1]["name"] == "S"
        assert "value" not in found[1]


def test_an_agent_shows_what_it_has_reserved_and_for_whom(target):
    reservation = {"principal": "contract"}
    wanted = [
        {**one, "role": "contract-shown", "reservation": reservation} for one in amounts(cpus=0.1)
    ]
    body = {"agent_id": {"value": target.agent_id}, "resources": wanted}
    assert operate(target, "RESERVE_RESOURCES", **body).status == 202
    try:
        until(lambda: "contract-shown" in state_of(target)["reserved_resources"])
        found = state_of(target)
        assert found["reserved_resources"]["contract-shown"]["cpus"] == 0.1
        assert len(found["reserved_resources_full"]["contract-shown"]) == 1
        assert "unreserved_resources_full" in found
    finally:
        assert operate(target, "UNRESERVE_RESOURCES", **body).status == 202


def state_of(target):
    return request(target.agent, "GET", "/state").json()


def test_an_agent_shows_frameworks_and_executors_that_are_over(target):
    with target.framework(name="over") as mesos:
        mesos.launch(made := task("t", "exit 0"))
        mesos.status(name_of(made), "TASK_FINISHED")
        agent = target.agent

        def past():
            [own_one] = [
                one
                for kind in ("frameworks", "completed_frameworks")
                for one in state_of(target)[kind]
                if one["id"] == mesos.id
            ]
            return [one["id"] for one in own_one["completed_executors"]]

        until(lambda: past() == [name_of(made)])
    until(lambda: mesos.id in {one["id"] for one in state_of(target)["completed_frameworks"]})
    answer = request(agent, "POST", V1, {"type": "GET_FRAMEWORKS"}).json()["get_frameworks"]
    infos = [one["framework_info"] for one in answer["completed_frameworks"]]
    assert mesos.id in {one["id"]["value"] for one in infos}
    answer = request(agent, "POST", V1, {"type": "GET_EXECUTORS"}).json()["get_executors"]
    infos = [one["executor_info"] for one in answer["completed_executors"]]
    assert name_of(made) in {one["executor_id"]["value"] for one in infos}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("ADD_RESOURCE_PROVIDER_CONFIG", {"info": {"type": "t", "name": "n"}}),
        ("UPDATE_RESOURCE_PROVIDER_CONFIG", {"info": {"type": "t", "name": "n"}}),
        ("REMOVE_RESOURCE_PROVIDER_CONFIG", {"type": "t", "name": "n"}),
        ("MARK_RESOURCE_PROVIDER_GONE", {"resource_provider_id": {"value": "x"}}),
    ],
)
def test_there_are_no_resource_providers(target, kind, body):
    answer = request(target.agent, "POST", V1, {"type": kind, kind.lower(): body})
    assert answer.status in (400, 404, 501)
