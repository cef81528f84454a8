"""Messages of the official protobuf library from a compact schema, for clients of other makers.

One message a line: `Name: NUMBER field kind, …`; kinds are s (a string), d (a double), i (an int),
b (a bool), y (bytes) or the name of a message; a star after the kind makes a list.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

MESOS = """
Id: 1 value s
Scalar: 1 value d
Range: 1 begin i, 2 end i
Ranges: 1 range Range*
Allocation: 1 role s
Resource: 1 name s, 2 type i, 3 scalar Scalar, 4 ranges Ranges, 6 role s,
    11 allocation_info Allocation
Command: 3 value s, 6 shell b
Executor: 1 executor_id Id, 7 command Command, 5 resources Resource*, 15 type i
Task: 1 name s, 2 task_id Id, 3 agent_id Id, 4 resources Resource*, 7 command Command,
    5 executor Executor
Launch: 1 task_infos Task*
Operation: 1 type i, 2 launch Launch
Capability: 1 type i
Framework: 1 user s, 2 name s, 3 id Id, 4 failover_timeout d, 10 capabilities Capability*,
    12 roles s*
Subscribe: 1 framework_info Framework
Filters: 1 refuse_seconds d
Accept: 1 offer_ids Id*, 2 operations Operation*, 3 filters Filters
Acknowledge: 1 agent_id Id, 2 task_id Id, 3 uuid y
Kill: 1 task_id Id, 2 agent_id Id
Message: 1 agent_id Id, 2 executor_id Id, 3 data y
Call: 1 framework_id Id, 2 type i, 3 subscribe Subscribe, 4 accept Accept, 6 kill Kill,
    8 acknowledge Acknowledge, 10 message Message
Status: 1 task_id Id, 2 state i, 4 message s, 5 agent_id Id, 9 source i, 10 reason i, 11 uuid y
Offer: 1 id Id, 3 agent_id Id, 4 hostname s, 5 resources Resource*, 10 allocation_info Allocation
Offers: 1 offers Offer*
Subscribed: 1 framework_id Id, 2 heartbeat_interval_seconds d
Update: 1 status Status
Error: 1 message s
Event: 1 type i, 2 subscribed Subscribed, 3 offers Offers, 5 update Update, 6 message Message,
    8 error Error
ReadCall: 1 type i
AgentInfo: 1 hostname s, 3 resources Resource*, 6 id Id
Agent: 1 agent_info AgentInfo, 2 active b, 7 total_resources Resource*
GetAgents: 1 agents Agent*
GetTasks: 2 tasks Task*
GetState: 1 get_tasks GetTasks, 4 get_agents GetAgents
Version: 1 version s
GetVersion: 1 version_info Version
Response: 1 type i, 4 get_version GetVersion, 9 get_state GetState, 10 get_agents GetAgents
"""

EXECUTOR = """
Id: 1 value s
Task: 1 name s, 2 task_id Id, 3 agent_id Id, 6 data y
Launch: 1 task Task
Acknowledged: 1 task_id Id, 2 uuid y
EventMessage: 1 data y
Event: 1 type i, 3 acknowledged Acknowledged, 4 launch Launch, 6 message EventMessage
Status: 1 task_id Id, 2 state i, 6 timestamp d, 7 executor_id Id, 9 source i, 11 uuid y
Update: 1 status Status
Subscribe: 1 unacknowledged_tasks Task*, 2 unacknowledged_updates Update*
CallMessage: 2 data y
Call: 1 executor_id Id, 2 framework_id Id, 3 type i, 4 subscribe Subscribe, 5 update Update,
    6 message CallMessage
"""

_KINDS = {"s": 9, "d": 1, "i": 3, "b": 8, "y": 12}


class Schema:
    """The classes of a schema, as attributes."""

    def __init__(self, text: str) -> None:
        file = descriptor_pb2.FileDescriptorProto(name="x.proto", package="x", syntax="proto2")
        names = []
        for line in filter(None, text.replace(",\n   ", ",").splitlines()):
            name, _, fields = line.partition(": ")
            names.append(name)
            message = file.message_type.add(name=name)
            for each in fields.split(", "):
                number, field, kind = each.split()
                one = message.field.add(name=field, number=int(number))
                one.label = 3 if kind.endswith("*") else 1
                kind = kind.rstrip("*")
                one.type = _KINDS.get(kind, 11)
                if kind not in _KINDS:
                    one.type_name = f".x.{kind}"
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        for name in names:
            found = pool.FindMessageTypeByName(f"x.{name}")
            setattr(self, name, message_factory.GetMessageClass(found))
