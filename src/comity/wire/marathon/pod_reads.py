"""The fields of pods as callers may write them, with types, bounds and defaults (`pod.raml`).

As in `app_reads`, what Marathon has and we do not is read loosely and refused by name later, in
`comity.marathon.pod_rules`.
"""

import re
from typing import Any

from comity.wire.marathon import ids
from comity.wire.marathon.app_reads import (
    ARTIFACT,
    LABELS,
    LIMITS,
    LINUX_INFO,
    PULL_CONFIG,
    SECRETS,
    env_value,
    unreachable,
)
from comity.wire.marathon.reads import (
    Errors,
    Field,
    Reader,
    anything,
    array,
    boolean,
    caseless,
    checked,
    integer,
    mapping,
    note,
    number,
    record,
    string,
)

_NAME = string(min_length=1, max_length=63, matches=re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"))
_NETWORK_NAME = string(
    min_length=1, max_length=63, matches=re.compile(r"[a-z0-9]([-a-z0-9_]*[a-z0-9])?")
)
_FILE = string(min_length=1, max_length=1024)
_SECONDS = integer(minimum=0)
_PORT = integer(minimum=0, maximum=65535)
_SHARE = number(minimum=0.0, maximum=1.0)

_COMMAND_FIELDS = record(
    {"shell": Field(string(min_length=1)), "argv": Field(array(string(), min_items=1))}
)


def _command(value: Any, path: str, errors: Errors) -> Any:
    """Read a command: `shell` or `argv`, never both."""
    found = _COMMAND_FIELDS(value, path, errors)
    if isinstance(value, dict) and ("shell" in found) == ("argv" in found):
        note(errors, path, "error.expected.either: specify one of shell and argv")
    return found


_EXEC = record({"command": Field(_command, required=True), "overrideEntrypoint": Field(boolean)})

_RESOURCES = record(
    {
        "cpus": Field(number(minimum=0.001), default=1.0),
        "mem": Field(number(minimum=0.001), default=128.0),
        "disk": Field(number(minimum=0), default=0.0),
        "gpus": Field(integer(minimum=0), default=0),
    }
)

_EXECUTOR_FIELDS: dict[str, Field] = {
    "cpus": Field(number(minimum=0.1), default=0.1),
    "mem": Field(number(minimum=32), default=32.0),
    "disk": Field(number(minimum=10), default=10.0),
}

_ENDPOINT = record(
    {
        "name": Field(_NAME, required=True),
        "containerPort": Field(_PORT),
        "hostPort": Field(_PORT),
        "protocol": Field(array(_NAME)),
        "labels": Field(LABELS),
        "networkNames": Field(array(_NAME)),
    }
)

_IMAGE = record(
    {
        "kind": Field(caseless("DOCKER"), required=True),
        "id": Field(_FILE, required=True),
        "forcePull": Field(boolean),
        "pullConfig": Field(PULL_CONFIG),
        "labels": Field(LABELS),
    }
)

_HEALTH_CHECK = record(
    {
        "http": Field(
            record(
                {
                    "endpoint": Field(_NAME, required=True),
                    "path": Field(_FILE),
                    "scheme": Field(caseless("HTTP", "HTTPS"), default="HTTP"),
                }
            )
        ),
        "tcp": Field(record({"endpoint": Field(_NAME, required=True)})),
        "exec": Field(record({"command": Field(_command, required=True)})),
        "gracePeriodSeconds": Field(_SECONDS, default=300),
        "intervalSeconds": Field(_SECONDS, default=60),
        "maxConsecutiveFailures": Field(_SECONDS, default=3),
        "timeoutSeconds": Field(_SECONDS, default=20),
        "delaySeconds": Field(_SECONDS, default=15),
    }
)

_MOUNT = record(
    {
        "name": Field(_NAME, required=True),
        "mountPath": Field(_FILE, required=True),
        "readOnly": Field(boolean),
    }
)

_CONTAINER = record(
    {
        "name": Field(_NAME, required=True),
        "exec": Field(_EXEC),
        "resources": Field(_RESOURCES, required=True),
        "resourceLimits": Field(LIMITS),
        "endpoints": Field(array(_ENDPOINT)),
        "linuxInfo": Field(LINUX_INFO),
        "image": Field(_IMAGE),
        "environment": Field(mapping(env_value)),
        "user": Field(string()),
        "healthCheck": Field(_HEALTH_CHECK),
        "check": Field(anything),
        "volumeMounts": Field(array(_MOUNT)),
        "artifacts": Field(array(ARTIFACT)),
        "labels": Field(LABELS),
        "lifecycle": Field(record({"killGracePeriodSeconds": Field(number(minimum=0))})),
        "tty": Field(boolean),
    }
)

_VOLUME = record(
    {
        "name": Field(_NAME, required=True),
        "host": Field(string(min_length=1)),
        "persistent": Field(anything),
        "secret": Field(string(min_length=1)),
    }
)

_NETWORK = record(
    {
        "mode": Field(caseless("container", "container/bridge", "host"), default="container"),
        "name": Field(_NETWORK_NAME),
        "labels": Field(LABELS),
    }
)

_CONSTRAINT = record(
    {
        "fieldName": Field(string(), required=True),
        "operator": Field(
            caseless("UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS"),
            required=True,
        ),
        "value": Field(string()),
    }
)

_SCHEDULING = record(
    {
        "backoff": Field(
            record(
                {
                    "backoff": Field(number(minimum=0), default=1.0),
                    "backoffFactor": Field(number(minimum=0), default=1.15),
                    "maxLaunchDelay": Field(number(minimum=0), default=300.0),
                }
            )
        ),
        "upgrade": Field(
            record(
                {
                    "minimumHealthCapacity": Field(_SHARE, default=1.0),
                    "maximumOverCapacity": Field(_SHARE, default=1.0),
                }
            )
        ),
        "placement": Field(
            record(
                {
                    "constraints": Field(array(_CONSTRAINT), default=[]),
                    "acceptedResourceRoles": Field(array(string()), default=[]),
                }
            )
        ),
        "killSelection": Field(caseless("YOUNGEST_FIRST", "OLDEST_FIRST")),
        "unreachableStrategy": Field(unreachable),
    }
)

NEW_POD: Reader = record(
    {
        "id": Field(checked(ids.is_path), required=True),
        "user": Field(string()),
        "containers": Field(array(_CONTAINER, min_items=1), required=True),
        "environment": Field(mapping(env_value)),
        "labels": Field(LABELS),
        "scaling": Field(
            record(
                {
                    "kind": Field(caseless("fixed"), default="fixed"),
                    "instances": Field(integer(minimum=0), default=1),
                }
            )
        ),
        "scheduling": Field(_SCHEDULING),
        "secrets": Field(SECRETS, default={}),
        "volumes": Field(array(_VOLUME)),
        "networks": Field(array(_NETWORK)),
        "executorResources": Field(record(_EXECUTOR_FIELDS)),
        "role": Field(string(min_length=1)),
        "linuxInfo": Field(LINUX_INFO),
        "legacySharedCgroups": Field(boolean),
    }
)
"""Reads a whole pod; `version` and what else an answer of ours holds is ignored."""

INSTANCE_IDS: Reader = array(string(matches=re.compile(r"(.+)\.(instance-|marathon-)([^.]+)")))
"""The body of `DELETE /v2/pods/{id}::instances`."""
