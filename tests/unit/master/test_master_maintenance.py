"""Maintenance: the schedule, machines going down and up, inverse offers (mesos.md 1.4, 91)."""

import pytest

from comity.core.ids import AgentId
from comity.master import inputs, maintenance, views
from comity.master.maintenance import Maintenance
from comity.wire.mesos import codec, link, scheduler, v1
from comity.wire.mesos.base import DurationInfo, MachineID, TimeInfo, Unavailability
from comity.wire.mesos.maintenance import DrainConfig, Schedule, Window
from support.master_world import MasterWorld

A = MachineID(hostname="link-a", ip="127.0.0.1")
B = MachineID(hostname="Link-B", ip="127.0.0.1")


def away(start_s=5000, duration_s=60):
    return Unavailability(
        start=TimeInfo(nanoseconds=int(start_s * 1e9)),
        duration=DurationInfo(nanoseconds=int(duration_s * 1e9)),
    )


def plan(*machines, unavailability=None):
    window = Window(machine_ids=machines, unavailability=unavailability or away())
    return Schedule(windows=(window,))


def ask(world, kind, asked):
    world.step(kind(55, asked))
    world.run(0)
    reply = world.replies[55]
    return reply.status, reply.body.decode()


def schedule(world, *machines, **more):
    return ask(world, inputs.MaintenanceScheduled, plan(*machines, **more))


def start(world, *machines):
    return ask(world, inputs.MaintenanceStarted, machines)


def stop(world, *machines):
    return ask(world, inputs.MaintenanceStopped, machines)


def asked(world, stream="s1"):
    events = world.heard(stream, scheduler.EventInverseOffers)
    return [one for event in events for one in event.inverse_offers.inverse_offers]


def answer(world, kind, offers, refuse=None):
    filters = None if refuse is None else v1.Filters(refuse_seconds=refuse)
    body = scheduler.InverseOffersAnswerBody(
        inverse_offer_ids=tuple(one.id for one in offers), filters=filters
    )
    framework_id = v1.Id(value="M-0000")
    if kind == "ACCEPT":
        call = scheduler.AcceptInverseOffers(framework_id=framework_id, accept_inverse_offers=body)
    else:
        call = scheduler.DeclineInverseOffers(
            framework_id=framework_id, decline_inverse_offers=body
        )
    return world.call(call)


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent()
    made.subscribe()
    return made


def running(world):
    world.launch("t")
    world.run(1)
    world.offers()
    return world


def test_offers_of_a_scheduled_machine_are_made_again_with_its_unavailability(world):
    [before] = world.offers()
    assert before.unavailability is None
    assert schedule(world, A) == (200, "")
    assert world.heard("s1", scheduler.EventRescind)[0].rescind.offer_id == before.id
    world.run(1)
    [after] = world.offers()
    assert after.unavailability == away()
    assert schedule(world)[0] == 400  # a window without machines
    assert ask(world, inputs.MaintenanceScheduled, Schedule()) == (200, "")
    world.run(1)
    [again] = world.offers()
    assert again.unavailability is None


def test_who_holds_something_there_is_asked_to_leave(world):
    running(world)
    world.agent("link-c")
    schedule(world, A)
    [one] = asked(world)
    assert one.unavailability == away()
    assert one.agent_id.value == "M-S0"
    assert one.framework_id.value == "M-0000"
    assert one.url.path == "/slave(1)"
    assert one.resources == ()
    world.run(5)
    assert asked(world) == []  # it has not answered yet


@pytest.mark.parametrize("kind", ["ACCEPT", "DECLINE"])
def test_answers_are_recorded_and_asked_for_again_when_the_filter_is_over(world, kind):
    running(world)
    schedule(world, A)
    [one] = asked(world)
    assert answer(world, kind, [one], refuse=30) == 202
    [machine] = views.maintenance_status(world.state).draining_machines
    assert machine.id == A
    assert [each.status for each in machine.statuses] == [kind]
    assert machine.statuses[0].framework_id.value == "M-0000"
    world.run(29)
    assert asked(world) == []
    world.run(2)
    [again] = asked(world)
    assert again.id != one.id
    assert answer(world, "ACCEPT", [one]) == 202
    assert b"No longer valid" in str(world.last_reply.headers).encode()


def test_another_schedule_rescinds_inverse_offers_and_forgets_answers(world):
    running(world)
    schedule(world, A)
    [first] = asked(world)
    answer(world, "ACCEPT", [first], refuse=3600)
    schedule(world, A, unavailability=away(9000))
    [second] = asked(world)
    assert second.unavailability == away(9000)
    assert views.maintenance_status(world.state).draining_machines[0].statuses == ()
    ask(world, inputs.MaintenanceScheduled, Schedule())
    [rescind] = world.heard("s1", scheduler.EventRescindInverseOffer)
    assert rescind.rescind_inverse_offer.inverse_offer_id == second.id
    assert world.state.maintenance.by_id == {}


def test_inverse_offers_end_with_their_framework_and_with_their_agent(world):
    running(world)
    schedule(world, A)
    asked(world)
    world.step(inputs.StreamClosed("s1"))
    assert world.state.maintenance.by_id == {}
    world.subscribe("s2", framework_id="M-0000")
    world.run(1)
    assert len(asked(world, "s2")) == 1
    world.step(inputs.StreamClosed("link-a"))
    assert len(world.heard("s2", scheduler.EventRescindInverseOffer)) == 1
    assert world.state.maintenance.inverse_offers == {}


def test_a_machine_goes_down_with_its_agents_and_they_may_not_come_back(world):
    running(world)
    assert start(world, A)[0] == 400
    schedule(world, A)
    assert start(world, A) == (200, "")
    [told] = world.heard("link-a", link.EventShutdown)
    assert told.message == "Operator initiated 'Machine DOWN'"
    assert world.state.agents == {}
    assert world.updates()[-1].state is v1.TaskState.LOST
    world.agent(agent_id="M-S0")
    assert world.heard("link-a", link.EventShutdown)[0].message == "Machine is `DOWN`"
    assert world.state.agents == {}
    assert views.maintenance_status(world.state).down_machines == (A,)
    assert views.maintenance_status(world.state).draining_machines == ()
    assert stop(world, A) == (200, "")
    assert world.state.maintenance.schedule == Schedule()
    world.agent(agent_id="M-S0")
    assert set(world.state.agents) == {"M-S0"}


def test_a_machine_goes_through_its_modes_in_order_only(world):
    schedule(world, A, B)
    assert stop(world, A)[0] == 400
    assert start(world, A, B)[0] == 200
    status, text = start(world, A)
    assert status == 400
    assert "not in DRAINING mode" in text
    status, text = schedule(world, A)
    assert status == 400
    assert "cannot be removed from the schedule" in text
    assert stop(world, B)[0] == 200
    assert world.state.maintenance.schedule == plan(A)


def test_schedule_and_machines_that_are_down_outlive_the_master(world):
    schedule(world, A, B)
    start(world, B)
    other = MasterWorld(registry=world.store.items())
    other.agent("link-b")
    assert other.state.agents == {}
    other.agent("link-a")
    other.subscribe()
    [offer] = other.offers()
    assert offer.unavailability == away()
    other.run(1)
    assert len(asked(other)) == 1
    stop(other, B)
    ask(other, inputs.MaintenanceScheduled, Schedule())
    assert [key for key in other.store if not key.startswith("agents/")] == []


@pytest.mark.parametrize(
    ("machines", "words"),
    [
        ((MachineID(),), "Both 'hostname' and 'ip'"),
        ((MachineID(ip="1.2.3"),), "IP '1.2.3'"),
        ((A, A), "more than once"),
        ((A, MachineID(hostname="LINK-A", ip="127.0.0.1")), "more than once"),
    ],
)
def test_bad_machines_are_refused_everywhere(machines, words):
    state = Maintenance()
    assert words in maintenance.fault_of_schedule(state, plan(*machines))
    assert words in maintenance.fault_of_start(state, machines)
    assert words in maintenance.fault_of_stop(state, machines)


@pytest.mark.parametrize(
    ("unavailability", "words"),
    [
        (away(duration_s=-1), "negative"),
        (Unavailability(start=TimeInfo(nanoseconds=2**64)), "64 bits"),
        (away(duration_s=1e12), "64 bits"),
    ],
)
def test_bad_times_are_refused(unavailability, words):
    fault = maintenance.fault_of_schedule(Maintenance(), plan(A, unavailability=unavailability))
    assert words in fault


def test_an_empty_list_of_machines_is_refused(world):
    assert start(world) == (400, "List of machines is empty")
    assert stop(world) == (400, "List of machines is empty")


def test_a_machine_without_host_name_has_no_agents(world):
    [before] = world.offers()
    only_ip = MachineID(ip="127.0.0.1")
    schedule(world, only_ip)
    world.run(1)
    assert world.offers() == []
    assert before.id.value in world.state.offers
    assert codec.encode(views.maintenance_status(world.state).draining_machines[0].id) == (
        b'{"ip":"127.0.0.1"}'
    )


def test_an_agent_of_a_scheduled_machine_is_not_drained(world):
    schedule(world, A)
    world.step(inputs.AgentDrained(56, AgentId("M-S0"), DrainConfig()))
    assert world.replies[56].status == 400
    assert b"maintenance schedule" in world.replies[56].body
    assert world.state.draining == {}


def test_inverse_offers_that_nobody_answers_are_made_anew():
    world = MasterWorld(offer_timeout_s=10.0)
    world.agent()
    world.subscribe()
    running(world)
    schedule(world, A)
    [first] = asked(world)
    world.run(9)
    assert asked(world) == []
    world.run(2)
    [rescind] = world.heard("s1", scheduler.EventRescindInverseOffer)
    assert rescind.rescind_inverse_offer.inverse_offer_id == first.id
    [second] = asked(world)
    assert second.id != first.id
