import base64

from comity.core.redaction import Redactor
from comity.wire.mesos import codec, v1

KEY = b"k"


def redacted(document):
    return Redactor(KEY).redacted(document)


def test_values_of_environments_are_replaced_and_names_stay():
    given = {"command": {"environment": {"variables": [{"name": "PASSWORD", "value": "hunter2"}]}}}
    [variable] = redacted(given)["command"]["environment"]["variables"]
    assert variable["name"] == "PASSWORD"
    assert variable["value"].startswith("redacted-")


def test_environments_of_containers_keep_what_we_set_ourselves():
    found = redacted({"environment": {"MESOS_TASK_ID": "t", "PATH": "/bin", "TOKEN": "hunter2"}})
    assert found["environment"]["MESOS_TASK_ID"] == "t"
    assert found["environment"]["PATH"] == "/bin"
    assert "hunter2" not in str(found)


def test_equal_values_stay_equal_and_others_different():
    one, same, other = (
        redacted({"variables": [{"name": "A", "value": value}]}) for value in ("x", "x", "y")
    )
    assert one == same
    assert one != other


def test_another_key_gives_other_digests():
    document = {"variables": [{"name": "A", "value": "x"}]}
    assert Redactor(b"1").redacted(document) != Redactor(b"2").redacted(document)


def test_opaque_bytes_are_replaced_by_bytes():
    data = base64.b64encode(b"hunter2").decode()
    found = redacted({"secret": {"type": "VALUE", "value": {"data": data}}})
    assert b"hunter2" not in base64.b64decode(found["secret"]["value"]["data"])


def test_passwords_in_urls_go():
    found = redacted({"uris": [{"value": "https://me:hunter2@example.com/a?b=1"}]})
    assert found["uris"][0]["value"] == "https://example.com/a?b=1"


def test_a_redacted_message_is_still_one():
    info = v1.TaskInfo(
        name="n",
        task_id=v1.Id(value="t"),
        agent_id=v1.Id(value="a"),
        data=b"hunter2",
        command=v1.CommandInfo(
            value="true",
            environment=v1.Environment(variables=(v1.Variable(name="A", value="hunter2"),)),
        ),
    )
    import msgspec

    again = codec.decode(v1.TaskInfo, codec.encode(redacted(msgspec.to_builtins(info))))
    assert again.task_id == info.task_id
    assert b"hunter2" not in codec.encode(again)
