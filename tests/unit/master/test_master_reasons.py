"""Where Mesos only logs that a call was dropped, the 202 says why."""

import pytest

from comity.core.effects import Reply
from comity.wire.mesos import scheduler, v1
from support.master_world import MasterWorld

FW = v1.Id(value="M-0000")


def one(value):
    return v1.Id(value=value)


DROPPED = [
    (
        scheduler.Revive(framework_id=FW, revive=scheduler.RolesBody(roles=("other",))),
        "The framework is not subscribed to role 'other'",
    ),
    (
        scheduler.Suppress(framework_id=FW, suppress=scheduler.RolesBody(roles=("other",))),
        "The framework is not subscribed to role 'other'",
    ),
    (
        scheduler.Decline(
            framework_id=FW, decline=scheduler.DeclineBody(offer_ids=(one("M-O7"), one("M-O8")))
        ),
        "No longer valid: offers M-O7, M-O8",
    ),
    (
        scheduler.Accept(framework_id=FW, accept=scheduler.AcceptBody(offer_ids=(one("M-O\n7"),))),
        "Offer M-O 7 is no longer valid",
    ),
    (
        scheduler.Shutdown(
            framework_id=FW,
            shutdown=scheduler.ShutdownBody(executor_id=one("e"), agent_id=one("M-S0")),
        ),
        "Executor e does not run on agent M-S0",
    ),
    (
        scheduler.Message(
            framework_id=FW,
            message=scheduler.MessageBody(agent_id=one("M-S9"), executor_id=one("e"), data=b""),
        ),
        "Agent M-S9 is not registered",
    ),
]


@pytest.mark.parametrize(("call", "reason"), DROPPED)
def test_a_dropped_call_says_why(call, reason):
    world = MasterWorld()
    world.agent()
    world.subscribe()
    assert world.call(call) == 202
    reply = world.last_reply
    assert isinstance(reply, Reply)
    assert dict(reply.headers)["Comity-Reason"] == reason
    name = type(call).__name__.lower()
    assert world.state.counters[f"master/dropped_calls/{name}"] == 1
