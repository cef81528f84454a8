"""The fields of apps as callers may write them, with types, bounds and defaults (`app.raml`).

Fields that Marathon has and we do not yet support are read loosely here: the rules of the app
(`comity.marathon.rules`) refuse them by name instead of ignoring them.
"""

import re
from typing import Any

from comity.wire.marathon import ids
from comity.wire.marathon.reads import (
    Errors,
    Field,
    Reader,
    anything,
    array,
    boolean,
    checked,
    integer,
    literal,
    mapping,
    note,
    number,
    optional,
    record,
    string,
)

_PORT = integer(minimum=0, maximum=65535)
_SECONDS = integer(minimum=0)
_LEGACY_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_PATH = checked(ids.is_path)
LABELS = mapping(string())

ARTIFACT = record(
    {
        "uri": Field(string(min_length=1, max_length=1024), required=True),
        "extract": Field(boolean, default=True),
        "executable": Field(boolean, default=False),
        "cache": Field(boolean, default=False),
        "destPath": Field(string(min_length=1, max_length=1024)),
    }
)

_PORT_DEFINITION = record(
    {
        "port": Field(_PORT, default=0),
        "protocol": Field(literal("tcp", "udp", "udp,tcp"), default="tcp"),
        "name": Field(string(min_length=1, matches=_LEGACY_NAME)),
        "labels": Field(LABELS),
    }
)

_PORT_MAPPING = record(
    {
        "containerPort": Field(_PORT, default=0),
        "hostPort": Field(_PORT),
        "servicePort": Field(_PORT, default=0),
        "protocol": Field(literal("tcp", "udp", "udp,tcp"), default="tcp"),
        "name": Field(string(min_length=1, matches=_LEGACY_NAME)),
        "labels": Field(LABELS),
        "networkNames": Field(array(string(min_length=1))),
    }
)

_NETWORK = record(
    {
        "mode": Field(literal("container", "container/bridge", "host"), default="container"),
        "name": Field(string(min_length=1)),
        "labels": Field(LABELS),
    }
)

_IP_ADDRESS = record(
    {
        "groups": Field(array(string())),
        "labels": Field(LABELS),
        "networkName": Field(string(min_length=1)),
        "discovery": Field(
            record(
                {
                    "ports": Field(
                        array(
                            record(
                                {
                                    "number": Field(_PORT, required=True),
                                    "name": Field(string(min_length=1), required=True),
                                    "protocol": Field(literal("tcp", "udp"), default="tcp"),
                                    "labels": Field(LABELS),
                                }
                            )
                        )
                    )
                }
            )
        ),
    }
)

_PARAMETER = record(
    {
        "key": Field(string(min_length=1), required=True),
        "value": Field(string(), required=True),
    }
)

PULL_CONFIG = record({"secret": Field(string(min_length=1), required=True)})

SECRETS = mapping(record({"source": Field(string(min_length=1), required=True)}))

_VOLUME = record(
    {
        "containerPath": Field(string(min_length=1), required=True),
        "hostPath": Field(string(min_length=1)),
        "mode": Field(literal("RO", "RW"), default="RW"),
        "persistent": Field(anything),
        "external": Field(anything),
        "secret": Field(string(min_length=1)),
    }
)

LINUX_INFO = record(
    {
        "seccomp": Field(
            record({"profileName": Field(string()), "unconfined": Field(boolean, default=False)})
        ),
        "ipcInfo": Field(
            record(
                {
                    "mode": Field(literal("PRIVATE", "SHARE_PARENT"), required=True),
                    "shmSize": Field(integer(minimum=1)),
                }
            )
        ),
    }
)

_DOCKER = record(
    {
        "image": Field(string(min_length=1), required=True),
        "forcePullImage": Field(boolean, default=False),
        "privileged": Field(boolean, default=False),
        "network": Field(literal("BRIDGE", "HOST", "NONE", "USER")),
        "parameters": Field(array(_PARAMETER), default=[]),
        "portMappings": Field(array(_PORT_MAPPING)),
        "credential": Field(
            record({"principal": Field(string(), required=True), "secret": Field(string())})
        ),
        "pullConfig": Field(PULL_CONFIG),
    }
)

_CONTAINER = record(
    {
        "type": Field(literal("MESOS", "DOCKER"), default="DOCKER"),
        "docker": Field(_DOCKER),
        "volumes": Field(array(_VOLUME), default=[]),
        "portMappings": Field(array(_PORT_MAPPING)),
        "linuxInfo": Field(LINUX_INFO),
    }
)

_HEALTH_CHECK = record(
    {
        "protocol": Field(
            literal("HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_TCP", "MESOS_HTTP", "MESOS_HTTPS"),
            default="HTTP",
        ),
        "command": Field(record({"value": Field(string(), required=True)})),
        "gracePeriodSeconds": Field(_SECONDS, default=300),
        "intervalSeconds": Field(_SECONDS, default=60),
        "timeoutSeconds": Field(_SECONDS, default=20),
        "delaySeconds": Field(_SECONDS, default=15),
        "maxConsecutiveFailures": Field(_SECONDS, default=3),
        "ignoreHttp1xx": Field(boolean),
        "ipProtocol": Field(literal("IPv4", "IPv6"), default="IPv4"),
        "path": Field(string()),
        "port": Field(_PORT),
        "portIndex": Field(_PORT),
    }
)

_UPGRADE = record(
    {
        "maximumOverCapacity": Field(number(minimum=0.0, maximum=1.0), required=True),
        "minimumHealthCapacity": Field(number(minimum=0.0, maximum=1.0), required=True),
    }
)

_UNREACHABLE_ENABLED = record(
    {
        "inactiveAfterSeconds": Field(_SECONDS, default=0),
        "expungeAfterSeconds": Field(_SECONDS, default=0),
    }
)


def unreachable(value: Any, path: str, errors: Errors) -> Any:
    """Read an unreachable strategy: `disabled`, or its two times."""
    if isinstance(value, str):
        return literal("disabled")(value, path, errors)
    return _UNREACHABLE_ENABLED(value, path, errors)


def env_value(value: Any, path: str, errors: Errors) -> Any:
    """Read a variable's value: a string, or the name of a secret."""
    # Old clients send numbers and booleans as they are; Marathon takes only strings and secrets.
    if isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("secret"), str)):
        return value
    note(errors, path, "error.expected.jsstring")
    return value


def _limit(value: Any, path: str, errors: Errors) -> Any:
    if isinstance(value, str):
        return literal("unlimited")(value, path, errors)
    return number(minimum=0)(value, path, errors)


LIMITS = record({"cpus": Field(_limit), "mem": Field(_limit)})

FIELDS: dict[str, Field] = {
    "id": Field(_PATH, required=True),
    "acceptedResourceRoles": Field(array(string())),
    "args": Field(array(string())),
    "backoffFactor": Field(number(minimum=1.0), default=1.15),
    "backoffSeconds": Field(_SECONDS, default=1),
    "check": Field(anything),
    "cmd": Field(string(min_length=1)),
    "constraints": Field(array(array(string()))),
    "container": Field(_CONTAINER),
    "cpus": Field(number(minimum=0.001), default=1.0),
    "dependencies": Field(array(_PATH)),
    "disk": Field(number(minimum=0), default=0.0),
    "env": Field(mapping(env_value)),
    "executor": Field(string(), default=""),
    "executorResources": Field(anything),
    "fetch": Field(array(ARTIFACT)),
    "gpus": Field(_SECONDS, default=0),
    "healthChecks": Field(array(_HEALTH_CHECK)),
    "instances": Field(_SECONDS, default=1),
    "ipAddress": Field(_IP_ADDRESS),
    "killSelection": Field(literal("YOUNGEST_FIRST", "OLDEST_FIRST"), default="YOUNGEST_FIRST"),
    "labels": Field(LABELS, default={}),
    "maxLaunchDelaySeconds": Field(_SECONDS, default=300),
    "mem": Field(number(minimum=0), default=128.0),
    "networks": Field(array(_NETWORK)),
    "portDefinitions": Field(array(_PORT_DEFINITION)),
    "ports": Field(array(_PORT)),
    "readinessChecks": Field(array(anything)),
    "requirePorts": Field(boolean, default=False),
    "residency": Field(anything),
    "resourceLimits": Field(LIMITS),
    "role": Field(string(min_length=1)),
    "secrets": Field(SECRETS, default={}),
    "taskKillGracePeriodSeconds": Field(_SECONDS),
    "tty": Field(boolean),
    "unreachableStrategy": Field(unreachable),
    "upgradeStrategy": Field(_UPGRADE),
    "uris": Field(array(string(min_length=1, max_length=1024))),
    "user": Field(string()),
    "version": Field(string()),
}
"""Everything an app may hold. `tasks` and the other counters of an answer are ignored."""

NEW_APP: Reader = record(FIELDS)
"""Reads a whole app: `id` is needed, defaults are filled in."""

UPDATE: Reader = record(optional(FIELDS))
"""Reads a partial app: what is absent stays as it is."""

NEW_APPS: Reader = array(NEW_APP)
UPDATES: Reader = array(UPDATE)

TASK_IDS: Reader = record({"ids": Field(array(string()), required=True)})
"""The body of `POST /v2/tasks/delete`."""
