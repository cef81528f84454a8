"""Kills that an agent may not have heard: told again when it comes back (Mesos's `killedTasks`)."""

import msgspec

from comity.wire.mesos import link, scheduler, v1
from support.master_world import MasterWorld

FW = v1.Id(value="M-0000")
S = v1.TaskState


def test_a_kill_sent_to_an_agent_that_is_about_to_go_is_sent_again_while_the_task_lives():
    world = MasterWorld()
    world.agent()
    world.subscribe(checkpoint=True)
    world.launch("t")
    world.call(scheduler.Kill(framework_id=FW, kill=scheduler.KillBody(task_id=v1.Id(value="t"))))
    held = world.state.frameworks["M-0000"].tasks["t"].info
    for name, state, times in (("b", S.RUNNING, 1), ("c", S.KILLING, 1), ("d", S.KILLED, 0)):
        brought = msgspec.structs.replace(held, state=state)
        world.agent(f"link-{name}", agent_id="M-S0", tasks=(brought,))
        assert len(world.heard(f"link-{name}", link.EventKillTask)) == times
