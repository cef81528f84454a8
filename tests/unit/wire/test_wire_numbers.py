"""Messages whose fields upstream numbers apart from their namesakes: bytes written by hand."""

from comity.wire.mesos import codec, executor, operator, v1

PROTOBUF = codec.Format.PROTOBUF


def test_bytes_for_an_executor_are_field_one_and_from_it_field_two():
    event = executor.EventMessage(message=executor.EventMessageBody(data=b"hi"))
    assert codec.encode(event, PROTOBUF) == bytes.fromhex("0805 3204 0a02 6869")
    call = executor.Message(
        executor_id=v1.Id(value="e"),
        framework_id=v1.Id(value="f"),
        message=executor.MessageBody(data=b"hi"),
    )
    data = bytes.fromhex("0a03 0a0165 1203 0a0166 1803 3204 1202 6869")
    assert codec.decode(codec.EXECUTOR_CALL, data, PROTOBUF) == call


def test_the_old_spelling_of_launch_container_has_its_container_third():
    body = bytes.fromhex("0a03 0a0163 1a02 0802")
    data = bytes.fromhex("080e 3209") + body
    call = codec.decode(codec.AGENT_CALL, data, PROTOBUF)
    assert isinstance(call, operator.LaunchNestedContainer)
    assert call.launch_nested_container.container == v1.ContainerInfo(type="MESOS")


def test_a_volume_says_its_mode_in_both_formats_since_upstream_requires_it():
    volume = v1.Volume(container_path="d")
    assert codec.encode(volume) == b'{"container_path":"d","mode":"RW"}'
    assert codec.encode(volume, PROTOBUF) == bytes.fromhex("0a01 64 1801")
