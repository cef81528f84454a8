"""Compare the messages of `comity.wire.mesos` with Mesos's own proto files.

    protoc -I include --include_imports -o mesos.desc $(find include/mesos/v1 -name '*.proto')
    python tools/compare_protos.py mesos.desc

Mesos's files are not part of this repository; `include` is that folder of its sources. Prints
every field whose number, type, table or being required differs, and ends with 1 if there is one;
then, for information, what upstream has and we do not.
"""

import enum
import sys
import typing
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from comity.wire.mesos import agent_responses, codec, events, responses, sessions
from comity.wire.mesos.declared import Field, fields

UNIONS = {
    "mesos.v1.scheduler.Call": codec.SCHEDULER_CALL,
    "mesos.v1.scheduler.Event": codec.SCHEDULER_EVENT,
    "mesos.v1.executor.Call": codec.EXECUTOR_CALL,
    "mesos.v1.executor.Event": codec.EXECUTOR_EVENT,
    "mesos.v1.master.Call": codec.MASTER_CALL,
    "mesos.v1.agent.Call": codec.AGENT_CALL,
}
MESSAGES = {
    "mesos.v1.master.Event": events.Event,
    "mesos.v1.master.Response": responses.MasterResponse,
    "mesos.v1.agent.Response": agent_responses.AgentResponse,
    "mesos.v1.agent.ProcessIO": sessions.ProcessIO,
}
LENIENT = {
    "mesos.v1.Volume.mode": "RW when absent",
    "mesos.v1.Image.type": "validation says what is missing",
    "mesos.v1.MasterInfo.port": "5050 when absent",
    "mesos.v1.master.Call.ReadFile.offset": "0 when absent",
    "mesos.v1.agent.Call.ReadFile.offset": "0 when absent",
}
"""Fields that upstream requires and we do not, and why."""
KINDS = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BYTES: bytes,
    FieldDescriptor.TYPE_DOUBLE: float,
    FieldDescriptor.TYPE_BOOL: bool,
    FieldDescriptor.TYPE_INT32: int,
    FieldDescriptor.TYPE_INT64: int,
    FieldDescriptor.TYPE_UINT32: int,
    FieldDescriptor.TYPE_UINT64: int,
}


class Comparison:
    """Walks both sides together, from the messages that endpoints read and write."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.absent: list[str] = []
        self._seen: set[tuple[Any, str]] = set()

    def message(self, kind: Any, theirs: Descriptor) -> None:
        """Compare a message, and all that it holds."""
        if (kind, theirs.full_name) in self._seen:
            return
        self._seen.add((kind, theirs.full_name))
        ours = {field.name: field for field in fields(kind)}
        for field in ours.values():
            self._field(field, theirs)
        self._lacks(theirs, set(ours))

    def union(self, arms: Any, theirs: Descriptor) -> None:
        """Compare a union of calls or events with the one message that it is upstream."""
        known = {"type"}
        for arm in typing.get_args(arms):
            for field in fields(arm):
                known.add(field.name)
                self._field(field, theirs, is_arm=True)
        self._lacks(theirs, known)
        tags = {one.__struct_config__.tag for one in typing.get_args(arms)}
        words = set(_numbers(theirs.fields_by_name["type"].enum_type))
        self.faults += [f"{theirs.full_name}: no type {one}" for one in sorted(tags - words)]
        self.absent += [f"{theirs.full_name}: type {one}" for one in sorted(words - tags)]

    def _lacks(self, theirs: Descriptor, known: set[str]) -> None:
        names = [one.name for one in theirs.fields if one.name not in known]
        self.absent += [f"{theirs.full_name}.{name}" for name in names]

    def _field(self, ours: Field, message: Descriptor, *, is_arm: bool = False) -> None:
        name = f"{message.full_name}.{ours.name}"
        theirs = message.fields_by_name.get(ours.name)
        if theirs is None:
            self.faults.append(f"{name}: not upstream")
            return
        if theirs.number != ours.number:
            self.faults.append(f"{name}: number {ours.number}, upstream {theirs.number}")
        if theirs.is_required != ours.is_required and not is_arm and name not in LENIENT:
            self.faults.append(f"{name}: upstream {theirs.is_required=}")
        entry = theirs.message_type if theirs.type == FieldDescriptor.TYPE_MESSAGE else None
        is_map = entry is not None and entry.GetOptions().map_entry
        if (is_map, theirs.is_repeated and not is_map) != (ours.is_map, ours.is_list):
            self.faults.append(f"{name}: one, list or map")
        elif is_map and entry is not None:
            self._value(ours, entry.fields_by_name["value"], name)
        else:
            self._value(ours, theirs, name)

    def _value(self, ours: Field, theirs: FieldDescriptor, name: str) -> None:
        if theirs.enum_type is not None:
            if ours.table != _numbers(theirs.enum_type):
                self.faults.append(f"{name}: another table than {theirs.enum_type.full_name}")
            elif isinstance(ours.kind, type) and issubclass(ours.kind, enum.Enum):
                lost = set(ours.table) - {one.value for one in ours.kind} - {"UNKNOWN"}
                self.absent += [f"{theirs.enum_type.full_name}: {one}" for one in sorted(lost)]
        elif theirs.message_type is not None:
            self.message(ours.kind, theirs.message_type)
        elif KINDS.get(theirs.type) is not ours.kind:
            self.faults.append(f"{name}: another type")


def _numbers(of: EnumDescriptor) -> dict[str, int]:
    return {one.name: one.number for one in of.values}


def main(path: str) -> int:
    """Compare, print, and return the exit status."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(Path(path).read_bytes()).file:
        pool.Add(file)
    comparison = Comparison()
    for name, union in UNIONS.items():
        comparison.union(union, pool.FindMessageTypeByName(name))
    for name, message in MESSAGES.items():
        comparison.message(message, pool.FindMessageTypeByName(name))
    for line in comparison.absent:
        print(f"not ours: {line}")
    for line in comparison.faults:
        print(f"differs: {line}")
    print(f"{len(comparison.faults)} differ")
    return 1 if comparison.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
