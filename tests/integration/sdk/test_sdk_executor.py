"""The SDK's executor against an agent that is only a server."""

import asyncio

from comity.runtime.http import Response, Server, Stream
from comity.sdk.executor import Executor, Identity
from comity.wire import recordio
from comity.wire.mesos import codec, v1
from comity.wire.mesos import executor as wire


async def test_an_update_made_while_subscribing_is_sent_all_the_same():
    # The simulator found this: SUBSCRIBE was on its way without the update, and there was no
    # subscription yet to send it on.
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def agent(request):
        call = codec.decode(codec.EXECUTOR_CALL, request.body)
        if not isinstance(call, wire.Subscribe):
            heard.put_nowait(call.update.status.task_id.value)
            return Response(202, b"")
        assert call.subscribe.unacknowledged_updates == ()
        executor.update(v1.TaskStatus(task_id=v1.Id(value="t"), state=v1.TaskState.FINISHED))
        stream = Stream("application/json")
        stream.send(recordio.encode(codec.encode(wire.EventHeartbeat())))
        return stream

    server = Server(agent)
    _, port = await server.start("127.0.0.1", 0)
    identity = Identity(
        agent_url=f"http://127.0.0.1:{port}",
        framework_id="F",
        executor_id="x",
        recovery_timeout_s=60.0,
    )
    async with Executor(identity) as executor:
        events = executor.events()
        assert isinstance(await anext(events), wire.EventHeartbeat)
        async with asyncio.timeout(30):
            assert await heard.get() == "t"
        await events.aclose()
    await server.stop()
