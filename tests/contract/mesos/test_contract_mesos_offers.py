"""Declining, filters, reviving and suppressing (mesos.md, section 4, 41 to 45 and 40)."""

from support.mesos_contract import amounts, name_of, scalar, task

MULTI = {"capabilities": [{"type": "MULTI_ROLE"}]}
LONG_S = 3600.0


def beats(mesos, count):
    """Wait for some heartbeats: what would have come has come by then."""
    seen = len([one for one in mesos.heard if one["type"] == "HEARTBEAT"])
    mesos.until(
        lambda: len([one for one in mesos.heard if one["type"] == "HEARTBEAT"]) >= seen + count
    )


def test_what_is_declined_without_filter_is_offered_again(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        mesos.decline(offer, refuse_s=0)
        again = mesos.offer()
        assert again["id"] != offer["id"]
        assert again["agent_id"] == offer["agent_id"]


def test_what_is_declined_for_long_comes_back_with_revive_only(target):
    with target.framework() as mesos:
        mesos.decline(mesos.offer(), refuse_s=LONG_S)
        beats(mesos, 1)
        assert not mesos.offers
        assert mesos.call("REVIVE").status == 202
        mesos.offer()


def test_an_agent_that_has_more_than_was_refused_is_offered(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        offer = mesos.offer()
        mesos.decline(offer, refuse_s=LONG_S)
        kill = {"task_id": made["task_id"]}
        mesos.call("KILL", kill=kill)
        mesos.status(name_of(made), "TASK_KILLED")
        more = mesos.offer()
        assert scalar(more["resources"], "cpus") > scalar(offer["resources"], "cpus")


def test_two_offers_of_one_agent_serve_one_task(target):
    with target.framework(roles=["a"], **MULTI) as mesos:
        first = mesos.offer()
        made = task("t")
        mesos.launch(made, offer=first)
        mesos.status(name_of(made), "TASK_RUNNING")
        offers = [mesos.offer()]
        # What the task had is offered apart while the rest is held.
        mesos.call("KILL", kill={"task_id": made["task_id"]})
        mesos.status(name_of(made), "TASK_KILLED")
        offers.append(mesos.offer())
        both = [scalar(one["resources"], "cpus") for one in offers]
        wide = task("wide", "exit 0", resources=amounts(cpus=round(max(both) + 0.05, 3), mem=32))
        wide["agent_id"] = first["agent_id"]
        mesos.accept(offers, {"type": "LAUNCH", "launch": {"task_infos": [wide]}})
        mesos.status(name_of(wide), "TASK_FINISHED")


def test_only_roles_that_are_not_suppressed_get_offers(target):
    with target.framework(roles=["a", "b"], **MULTI) as mesos:
        mesos.call("SUPPRESS", suppress={"roles": ["a"]})
        mesos.decline(*mesos.offers, refuse_s=0)
        mesos.offers.clear()
        for _ in range(3):
            offer = mesos.offer()
            mesos.decline(offer, refuse_s=0)
        assert offer["allocation_info"]["role"] == "b"


def test_a_framework_that_suppresses_everything_gets_nothing_until_it_revives(target):
    with target.framework(subscribed=False, role="a") as mesos:
        mesos.subscribe(suppressed_roles=["a"])
        beats(mesos, 2)
        assert not mesos.offers
        mesos.call("REVIVE")
        mesos.offer()


def test_a_call_about_a_role_that_is_not_its_own_is_accepted_and_dropped(target):
    with target.framework(roles=["a"], **MULTI) as mesos:
        mesos.offer()
        assert mesos.call("SUPPRESS", suppress={"roles": ["other"]}).status == 202
        assert mesos.call("REVIVE", revive={"roles": ["other"]}).status == 202


def test_unknown_offers_are_passed_over(target):
    with target.framework() as mesos:
        body = {"offer_ids": [{"value": "nobody"}]}
        assert mesos.call("DECLINE", decline=body).status == 202
        assert mesos.call("REQUEST", request={"requests": []}).status == 202


def test_updating_a_framework_takes_back_the_offers_of_a_role_it_leaves(target):
    with target.framework(roles=["a", "b"], **MULTI) as mesos:
        mesos.until(lambda: mesos.offers)
        leaving = mesos.offers[0]["allocation_info"]["role"]
        staying = "b" if leaving == "a" else "a"
        taken = {one["id"]["value"] for one in mesos.offers}
        info = {**mesos.info, "id": {"value": mesos.id}, "roles": [staying]}
        answer = mesos.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})
        assert answer.status == 200
        mesos.until(
            lambda: any(
                one["type"] == "RESCIND" and one["rescind"]["offer_id"]["value"] in taken
                for one in mesos.heard
            )
        )


def test_a_user_cannot_be_changed_by_an_update(target):
    with target.framework() as mesos:
        info = {**mesos.info, "id": {"value": mesos.id}, "user": "somebody-else"}
        answer = mesos.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})
        assert answer.status == 400
