"""From a package and options to an app."""

import base64
import json

import msgspec
import pytest

from comity.cosmos import options, rendering, universe
from comity.cosmos.catalogue import Catalogue, Entry
from comity.cosmos.errors import CosmosError
from comity.wire.cosmos.universe import Package

PLATFORM = {"command": "comity", "master": "http://m:5050", "service-data-dir": "/data"}


def package(template: str | None = '{"id": "x"}', **fields) -> Package:
    given = {
        "packagingVersion": "4.0",
        "name": "p",
        "version": "1",
        "releaseVersion": 0,
        "maintainer": "m",
        "description": "d",
        **fields,
    }
    if template is not None:
        encoded = base64.b64encode(template.encode()).decode()
        given["marathon"] = {"v2AppMustacheTemplate": encoded}
    return msgspec.convert(given, Package)


def render(found: Package, given=None, **more):
    return rendering.render(Entry(found, "http://repo"), given, platform=PLATFORM, **more)


def config(**properties):
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    "value", ['say "hi"', "back\\slash", "line\nbreak", "tab\t", "ünïcode ☃", "{{x}}", "</script>"]
)
def test_strings_arrive_as_they_were(value):
    found = package('{"id": "x", "cmd": "{{text}}"}', config=config(text={"default": value}))
    assert render(found)["cmd"] == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (0.1, 0.1),
        (True, True),
        (["a", 'b"c'], ["a", 'b"c']),
        ([1, [True]], [1, [True]]),
        ({"k": "v", "n": [1, "s"]}, {"k": "v", "n": [1, "s"]}),
        ([], []),
    ],
)
def test_values_that_are_not_strings_are_written_as_json(value, expected):
    found = package('{"id": "x", "v": {{v}}}', config=config(v={"default": value}))
    assert render(found)["v"] == expected


def test_json_in_a_string_option_is_put_in_by_as_json():
    template = '{"id": "x", "v": {{#asJson}}raw{{/asJson}}, "w": {{#asJson}}none{{/asJson}}}'
    found = package(template, config=config(raw={"default": '[{"a": 1}]'}))
    assert render(found) | {"labels": 0} == {"id": "x", "v": [{"a": 1}], "w": None, "labels": 0}


def test_options_beat_defaults_key_by_key():
    found = package(
        '{"id": "{{s.name}}", "cpus": {{s.cpus}}}',
        config=config(
            s={"type": "object", "properties": {"name": {"default": "n"}, "cpus": {"default": 1}}}
        ),
    )
    app = render(found, {"s": {"cpus": 2}})
    assert (app["id"], app["cpus"]) == ("n", 2)
    assert rendering.stored_options(app["labels"]) == {"s": {"cpus": 2}}


def test_the_app_id_can_be_given():
    assert render(package(), app_id="/other")["id"] == "/other"


def test_resource_wins_over_options():
    found = package('{"id": "{{resource.a}}"}', config=config(), resource={"a": "theirs"})
    assert render(found, {"resource": {"a": "mine"}})["id"] == "theirs"


def test_labels_say_which_package_it_is():
    found = package('{"id": "x", "labels": {"A": "b", "DCOS_PACKAGE_NAME": "lie"}}')
    labels = render(found)["labels"]
    assert labels["A"] == "b"
    assert labels["DCOS_PACKAGE_NAME"] == "p"
    assert labels["DCOS_PACKAGE_VERSION"] == "1"
    assert labels["DCOS_PACKAGE_SOURCE"] == "http://repo"
    assert json.loads(base64.b64decode(labels["DCOS_PACKAGE_OPTIONS"])) == {}
    assert rendering.opened(labels["DCOS_PACKAGE_DEFINITION"]) == found


def test_the_same_package_gives_the_same_app():
    assert render(package()) == render(package())


@pytest.mark.parametrize("label", ["", "!", "e30=", base64.b64encode(b'{"data": "AAAA"}').decode()])
def test_a_label_of_somebody_else_is_not_a_definition(label):
    assert rendering.opened(label) is None


@pytest.mark.parametrize(
    ("template", "given", "kind"),
    [
        ('{"id": ', None, "JsonParsingError"),
        ("[1]", None, "MarathonTemplateMustBeJsonObject"),
        ("{{#a}}", None, "MarathonTemplateMustBeJsonObject"),
        ('{"labels": {"a": 1}}', None, "JsonDecodingError"),
        ('{"labels": 5}', None, "JsonDecodingError"),
        ('{"id": "x"}', {"n": "text"}, "JsonSchemaMismatch"),
    ],
)
def test_what_cannot_be_an_app(template, given, kind):
    found = package(template, config=config(n={"type": "integer"}))
    with pytest.raises(CosmosError) as caught:
        render(found, given)
    assert caught.value.kind == kind


def test_options_need_a_schema():
    with pytest.raises(CosmosError) as caught:
        render(package(), {"a": 1})
    assert caught.value.kind == "OptionsNotAllowed"


def test_a_package_without_a_template_renders_to_nothing():
    assert render(package(None)) is None


SECRET = config(
    s={"type": "object", "properties": {"token": {"type": "string", "x-comity-generate": "token"}}},
    plain={"default": 1},
)


def test_tokens_are_made_where_the_schema_asks_for_them():
    assert options.generated(SECRET, {}, lambda: "T") == {"s": {"token": "T"}}
    assert options.generated(SECRET, {"s": {"token": "mine"}}, lambda: "T") == {
        "s": {"token": "mine"}
    }
    assert options.generated(None, {"a": 1}, lambda: "T") == {"a": 1}
    assert options.generated(SECRET, {"s": 5}, lambda: "T") == {"s": 5}  # refused by the schema


def test_generated_tokens_can_be_told_from_given_options():
    stored = {"s": {"token": "T"}, "plain": 5}
    assert options.only_generated(SECRET, stored) == {"s": {"token": "T"}}


def builtin(name: str) -> Entry:
    return Catalogue([(universe.BUILT_IN_URI, universe.built_in())]).find(name)


def test_hello_world_renders_to_a_plain_process():
    app = rendering.render(builtin("hello-world"), {}, platform=PLATFORM)
    assert app["id"] == "hello-world"
    assert "container" not in app
    assert app["labels"]["DCOS_SERVICE_NAME"] == "hello-world"
    assert app["portDefinitions"] == [{"port": 0, "name": "http", "protocol": "tcp"}]
    assert "$HELLO_MESSAGE" in app["cmd"]


def test_kubernetes_renders_to_its_control_plane():
    entry = builtin("kubernetes")
    given = options.generated(entry.package.config, {}, lambda: "TOKEN")
    app = rendering.render(entry, given, platform=PLATFORM)
    assert app["cmd"].startswith("exec comity kubernetes --master http://m:5050 ")
    assert '--data-dir "/data/kubernetes"' in app["cmd"]
    assert [port["port"] for port in app["portDefinitions"]] == [31443, 31442]
    assert app["requirePorts"] is True
    assert app["env"]["KUBERNETES_BOOTSTRAP_TOKEN"] == "TOKEN"
    assert app["labels"]["MARATHON_SINGLE_INSTANCE_APP"] == "true"
    assert app["upgradeStrategy"] == {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}


def test_kubernetes_options_are_checked():
    with pytest.raises(CosmosError) as caught:
        rendering.render(builtin("kubernetes"), {"service": {"mem": 1}}, platform=PLATFORM)
    [error] = caught.value.data["errors"]
    assert error["instance"]["pointer"] == "/service/mem"
