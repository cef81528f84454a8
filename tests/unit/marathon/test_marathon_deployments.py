"""Apps through their lives: create, scale, update, restart, roll back, delete."""

import pytest

from comity.marathon.inputs import Settle
from comity.wire.mesos import v1
from support.marathon_world import World, started

APP = {"id": "/a", "cmd": "sleep 100", "cpus": 0.1, "mem": 32.0}


def created(instances: int = 2, agents: int = 2, **app: object) -> World:
    world = started(agents)
    status, _ = world.post(**APP | {"instances": instances} | app)
    assert status == 201
    world.settle()
    assert world.running("/a") == instances
    assert not world.state.deployments
    return world


def test_a_new_app_runs_and_its_deployment_ends() -> None:
    world = started()
    world.listen()
    status, body = world.post(**APP, instances=2)
    assert status == 201
    assert body["deployments"] == [{"id": next(iter(world.state.deployments))}]
    assert body["tasksRunning"] == 0
    world.settle()
    assert world.running("/a") == 2
    assert not world.state.deployments
    assert not world.state.locks
    kinds = [event["eventType"] for event in world.events]
    assert kinds.count("deployment_info") == 2
    assert kinds.count("deployment_step_success") == 2
    assert kinds[-1] == "deployment_success"
    plan = world.events[-1]["plan"]
    assert plan["steps"][0] == {"actions": [{"action": "StartApplication", "app": "/a"}]}
    assert (plan["original"]["id"], plan["target"]["version"]) == ("/", plan["version"])


def test_an_idle_marathon_suppresses_and_a_busy_one_revives() -> None:
    world = started()
    assert not world.wants_offers
    world.hold_starts = True
    world.post(**APP)
    world.fire()
    assert world.wants_offers
    world.settle()
    assert not world.wants_offers


def test_an_app_exists_once() -> None:
    world = created()
    status, body = world.post(**APP)
    assert (status, body) == (409, {"message": "An app with id [/a] already exists."})


def test_scaling_changes_the_version_and_keeps_the_tasks() -> None:
    world = created(1)
    before = world.tasks("/a")[0].task_id
    status, body = world.put("/a", instances=3)
    assert status == 200
    world.settle()
    assert world.running("/a") == 3
    assert before in {one.task_id for one in world.tasks("/a")}
    app = world.state.apps["/a"]
    assert app.version == body["version"]
    assert app.version_info is not None
    assert app.version_info.last_config_change_at < app.version_info.last_scaling_at


def test_scaling_down_kills_the_youngest_first() -> None:
    world = created(1)
    oldest = world.tasks("/a")[0].task_id
    world.pass_time(10)
    world.put("/a", instances=3)
    world.settle()
    world.put("/a", instances=1)
    world.settle()
    assert [one.task_id for one in world.tasks("/a")] == [oldest]
    assert not world.state.deployments


def test_an_update_replaces_every_task() -> None:
    world = created(3)
    before = {one.task_id for one in world.tasks("/a")}
    world.put("/a", cmd="sleep 200")
    world.settle()
    assert world.running("/a") == 3
    assert not before & {one.task_id for one in world.tasks("/a")}
    assert {one.version for one in world.tasks("/a")} == {world.state.apps["/a"].version}
    assert not world.state.deployments


def test_a_restart_replaces_every_task_of_the_same_definition() -> None:
    world = created(2)
    before = {one.task_id for one in world.tasks("/a")}
    assert world.restart("/a")[0] == 200
    world.settle()
    assert not before & {one.task_id for one in world.tasks("/a")}
    assert world.running("/a") == 2


def test_a_put_that_changes_nothing_deploys_nothing() -> None:
    world = created()
    version = world.state.apps["/a"].version
    status, body = world.put("/a", cmd="sleep 100")
    assert status == 200
    assert set(body) == {"version", "deploymentId"}
    assert not world.state.deployments
    assert world.state.apps["/a"].version == version


def test_a_put_creates_an_app_and_fills_in_the_defaults() -> None:
    world = started()
    status, _ = world.put("/new", cmd="true")
    assert status == 201
    assert world.state.apps["/new"].mem == 128.0


def test_a_deleted_app_loses_tasks_versions_and_keys() -> None:
    world = created()
    world.listen()
    assert world.delete("/a")[0] == 200
    world.settle()
    assert not world.alive()
    assert set(world.store) == {"framework"}
    kinds = [event["eventType"] for event in world.events]
    assert kinds.count("app_terminated_event") == 1
    assert world.delete("/a") == (404, {"message": "App '/a' does not exist"})


def test_a_deleted_app_waits_for_tasks_that_will_not_end() -> None:
    world = created()
    world.hold_kills = True
    world.delete("/a")
    world.settle()
    assert len(world.state.deployments) == 1
    status, body = world.post(**APP)
    assert status == 409
    assert body["deployments"] == [{"id": next(iter(world.state.deployments))}]
    world.hold_kills = False
    world.settle()
    assert not world.state.deployments


def test_an_app_recreated_over_dying_tasks_replaces_them() -> None:
    world = created()
    world.hold_kills = True
    world.delete("/a")
    world.settle()
    assert world.post(**APP, force=True)[0] == 201
    world.hold_kills = False
    world.settle()
    assert world.running("/a") == 1
    assert {one.version for one in world.tasks("/a")} == {world.state.apps["/a"].version}


def test_a_locked_app_is_changed_only_by_force() -> None:
    world = created()
    world.hold_starts = True
    _, first = world.put("/a", cmd="sleep 200")
    world.settle()
    status, body = world.put("/a", cmd="sleep 300")
    assert status == 409
    assert body == {
        "message": "App is locked by one or more deployments. Override with the option "
        "'?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'.",
        "deployments": [{"id": first["deploymentId"]}],
    }
    world.listen()
    assert world.put("/a", cmd="sleep 300", force=True)[0] == 200
    assert any(event["eventType"] == "deployment_failed" for event in world.events)
    world.hold_starts = False
    world.settle()
    assert world.state.apps["/a"].cmd == "sleep 300"
    assert {one.version for one in world.tasks("/a")} == {world.state.apps["/a"].version}


def test_a_forced_scale_over_an_update_still_brings_the_update_about() -> None:
    world = created()
    world.hold_starts = True
    world.put("/a", cmd="sleep 200")
    world.settle()
    world.put("/a", instances=3, force=True)
    world.hold_starts = False
    world.settle()
    app = world.state.apps["/a"]
    assert world.running("/a") == 3
    assert {one.config_version for one in world.tasks("/a")} == {app.config_version}


def test_a_cancelled_deployment_is_taken_back() -> None:
    world = created()
    world.hold_starts = True
    _, first = world.put("/a", cmd="sleep 200", instances=3)
    world.settle()
    status, body = world.cancel(first["deploymentId"])
    assert status == 200
    assert list(world.state.deployments) == [body["deploymentId"]]
    world.hold_starts = False
    world.settle()
    assert world.state.apps["/a"].cmd == "sleep 100"
    assert world.running("/a") == 2
    assert not world.state.deployments


def test_taking_back_a_creation_removes_the_app() -> None:
    world = started()
    world.hold_starts = True
    _, body = world.post(**APP)
    assert world.cancel(body["deployments"][0]["id"])[0] == 200
    world.settle()
    assert "/a" not in world.state.apps
    assert not world.alive()


def test_a_deployment_cancelled_by_force_leaves_things_as_declared() -> None:
    world = created()
    world.hold_starts = True
    _, first = world.put("/a", cmd="sleep 200")
    assert world.cancel(first["deploymentId"], force=True) == (202, None)
    world.hold_starts = False
    world.settle()
    assert world.state.apps["/a"].cmd == "sleep 200"
    assert world.running("/a") == 2


def test_an_unknown_deployment_is_a_404() -> None:
    world = started()
    assert world.cancel("x") == (404, {"message": "DeploymentPlan x does not exist"})


def test_rolling_back_to_a_version() -> None:
    world = created()
    first = world.state.apps["/a"].version
    world.put("/a", cmd="sleep 200")
    world.settle()
    status, _ = world.put("/a", version=first)
    assert status == 200
    world.settle()
    assert world.state.apps["/a"].cmd == "sleep 100"
    assert len(world.state.versions["/a"]) == 3
    status, body = world.put("/a", version="2001-01-01T00:00:00.000Z")
    assert status == 404
    assert body["message"] == "App '/a' does not exist in version 2001-01-01T00:00:00.000Z"
    assert world.put("/a", version=first, cmd="x")[0] == 422
    assert world.put("/a", version="yesterday")[0] == 422


def test_versions_only_rise_and_only_fifty_are_kept() -> None:
    world = started()
    world.post(**APP, instances=0)
    for number in range(60):
        world.put("/a", cmd=f"sleep {number}", force=True)
    versions = list(world.state.versions["/a"])
    assert versions == sorted(set(versions))
    assert len(versions) == 50
    assert sum(key.startswith("version/a:") for key in world.store) == 50


def test_apps_of_one_put_start_in_the_order_of_their_dependencies() -> None:
    world = started()
    world.hold_starts = True
    base = {"cmd": "sleep 1", "cpus": 0.1}
    status, _ = world.put_many(
        [{"id": "/web", "dependencies": ["/db"], **base}, {"id": "/db", **base}]
    )
    assert status == 200
    world.settle()
    assert (len(world.tasks("/db")), len(world.tasks("/web"))) == (1, 0)
    world.hold_starts = False
    world.settle()
    assert world.running("/web") == 1
    assert not world.state.deployments


def test_an_app_that_waits_for_its_turn_keeps_its_old_tasks_alive() -> None:
    world = started()
    base = {"cmd": "sleep 1", "cpus": 0.1}
    world.put_many([{"id": "/web", "dependencies": ["/db"], **base}, {"id": "/db", **base}])
    world.settle()
    world.hold_starts = True
    world.put_many([{"id": "/web", "cmd": "new"}, {"id": "/db", "cmd": "new"}])
    world.settle()
    old = world.state.deployments[world.state.locks["/web"]].originals["/web"]
    assert old is not None
    world.status(world.tasks("/web")[0].task_id, v1.TaskState.KILLED)
    world.hold_starts = True
    world.settle()
    assert [one.version for one in world.tasks("/web")] == [old.version]


@pytest.mark.parametrize(("dependencies", "status"), [(["/a"], 422), (["/b"], 422), (["/c"], 201)])
def test_dependencies_in_a_circle_are_refused(dependencies: list[str], status: int) -> None:
    world = started()
    world.post(id="/b", cmd="x", dependencies=["/a"], instances=0)
    world.settle()
    assert world.post(**APP, dependencies=dependencies)[0] == status


@pytest.mark.parametrize(("first", "second"), [("/a", "/a/b"), ("/a/b", "/a"), ("/a", "/a/b/c")])
def test_apps_and_groups_do_not_share_names(first: str, second: str) -> None:
    world = started()
    world.post(id=first, cmd="x", instances=0)
    status, body = world.post(id=second, cmd="x", instances=0)
    assert status == 422
    assert "same identifier" in body["details"][0]["errors"][0]
    assert second not in world.state.apps


def test_too_many_deployments_are_refused() -> None:
    world = started(deployments_max=2)
    world.hold_starts = True
    for number in range(2):
        assert world.post(**APP | {"id": f"/a{number}"})[0] == 201
    status, body = world.post(**APP)
    assert status == 403
    assert "Max number (2)" in body["message"]
    assert "/a" not in world.state.apps


def test_killing_tasks_and_scaling_makes_the_app_smaller() -> None:
    world = created(3)
    victim = world.tasks("/a")[0].task_id
    status, body = world.kill("/a", victim, scale=True)
    assert status == 200
    assert set(body) == {"version", "deploymentId"}
    world.settle()
    assert world.state.apps["/a"].instances == 2
    assert victim not in {one.task_id for one in world.tasks("/a")}
    assert world.running("/a") == 2
    assert not world.state.deployments


def test_killed_tasks_are_replaced_without_a_deployment() -> None:
    world = created(2)
    victim = world.tasks("/a")[0]
    status, body = world.kill("/a", victim.task_id)
    assert status == 200
    assert body["task"]["id"] == victim.task_id
    world.settle()
    assert world.running("/a") == 2
    assert victim.task_id not in world.alive()
    assert world.kill("/a", scale=True, wipe=True)[0] == 400
    assert world.kill("/a", "nope")[1] == {"message": "Task 'nope' does not exist"}
    assert world.kill("/b")[1] == {"message": "App '/b' does not exist"}


def test_tasks_of_one_host_are_killed() -> None:
    world = created(4, agents=2)
    host = world.agents[0].host
    _, body = world.kill("/a", host=host)
    assert body["tasks"]
    assert {one["host"] for one in body["tasks"]} == {host}


def test_every_state_survives_a_crash() -> None:
    world = created(2)
    world.hold_starts = True
    world.put("/a", cmd="sleep 200", instances=3)
    world.settle()
    before = world.state
    world.crash()
    after = world.state
    assert after.apps == before.apps
    assert after.versions == before.versions
    assert after.deployments == before.deployments
    assert after.locks == before.locks
    assert after.framework_id == "F"
    assert {Settle()} <= set(world.timers)
    world.hold_starts = False
    world.subscribe()
    world.settle()
    assert world.running("/a") == 3
    assert not world.state.deployments
    assert len(world.alive()) == 3
