"""What an agent says when it registers: all that it is, has and runs."""

from comity.agent import checkpoints, views
from comity.agent.state import State
from comity.resources import operations
from comity.wire.mesos import link, resources, v1


def brought(state: State) -> link.SubscribeBody:
    """Return what the agent brings, for the master to make its view of."""
    executors = tuple(
        link.LinkExecutor(framework_id=v1.Id(value=one.framework_id), executor_info=one.info)
        for one in state.executors.values()
        if not one.is_command and not one.has_exited and not one.is_orphaned
    )
    return link.SubscribeBody(
        agent_info=state.info,
        frameworks=tuple(state.frameworks.values()),
        executors=executors,
        tasks=tuple(views.for_master(state)),
        checkpointed_resources=resources.write(operations.checkpointed(state.total), refined=True),
        operations=tuple(checkpoints.record_of(one) for one in state.operations.values()),
    )
