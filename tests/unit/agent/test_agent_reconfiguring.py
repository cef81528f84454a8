"""What may change between two runs of an agent."""

import pytest

from comity.agent.reconfiguring import fault_of
from comity.resources import text
from comity.wire.mesos import codec, resources, v1


def attribute(name, value):
    return v1.Attribute(name=name, type="TEXT", text=v1.Text(value=value))


OLD = v1.AgentInfo(
    hostname="h",
    port=5051,
    resources=resources.write(text.parse("cpus:4;mem:100")),
    attributes=(attribute("rack", "a"),),
)


def changed(**fields):
    return codec.replace(OLD, **fields)


MORE = changed(
    resources=resources.write(text.parse("cpus:5;mem:100;gpus:1")),
    attributes=(attribute("rack", "a"), attribute("os", "b")),
)
LESS = changed(resources=resources.write(text.parse("cpus:4")))


@pytest.mark.parametrize(
    ("policy", "new", "words"),
    [
        ("any", LESS, None),
        ("any", changed(hostname="g"), None),
        ("equal", OLD, None),
        ("equal", MORE, "resources have changed"),
        ("equal", changed(attributes=()), "attributes have changed"),
        ("equal", changed(hostname="g"), "hostname was h and is g"),
        ("equal", changed(attributes=(*OLD.attributes, attribute("comity_images", "oci"))), None),
        ("additive", MORE, None),
        ("additive", LESS, "less"),
        ("additive", changed(attributes=(attribute("rack", "b"),)), "attribute rack"),
        ("additive", changed(port=5052), "port was 5051"),
    ],
)
def test_policies(policy, new, words):
    fault = fault_of(policy, OLD, new)
    assert fault is None if words is None else words in fault
