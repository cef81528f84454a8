"""From a package and options to a Marathon app.

    defaults of config.json <- options given -> validated -> + resource -> mustache -> JSON object
    -> app id -> labels that say which package this is

Cosmos keeps no record of what it installed: the labels are the record.
"""

import base64
import gzip
import zlib
from typing import Any

import msgspec

from comity.cosmos import mustache, options, schemas
from comity.cosmos.catalogue import Entry
from comity.cosmos.errors import CosmosError, json_decoding
from comity.wire.cosmos.universe import Package

Json = dict[str, Any]

NAME = "DCOS_PACKAGE_NAME"
VERSION = "DCOS_PACKAGE_VERSION"
SOURCE = "DCOS_PACKAGE_SOURCE"
OPTIONS = "DCOS_PACKAGE_OPTIONS"
DEFINITION = "DCOS_PACKAGE_DEFINITION"
FRAMEWORK_NAME = "DCOS_PACKAGE_FRAMEWORK_NAME"


def render(
    entry: Entry, given: Json | None = None, *, app_id: str | None = None, platform: Json
) -> Json | None:
    """Return the package's app; None when the package has none (a command line only).

    `platform` is our one addition to the context: what a template may know of the cluster it is
    for, as `{{comity.command}}` (how a task calls us), `{{comity.master}}` and
    `{{comity.service-data-dir}}` (where a service may keep what outlives its tasks).

    Raises:
        CosmosError: the options break the schema, or the template gives no usable app.
    """
    package = entry.package
    if package.marathon is None:
        return None
    resolved = resolve_options(package, given)
    context = options.merge(resolved, {"resource": package.resource} if package.resource else {})
    app = render_template(template_of(package), context | {"comity": platform})
    labels = _string_labels(app)
    if app_id is not None:
        app["id"] = app_id
    app["labels"] = labels | _package_labels(package, entry.source, given or {})
    return app


def resolve_options(package: Package, given: Json | None) -> Json:
    """Return the defaults with the given options on them, if the schema allows the result."""
    resolved = options.merge(options.defaults(package.config), given or {})
    if not resolved:
        return resolved
    if package.config is None:
        raise CosmosError(
            "OptionsNotAllowed", "No schema available to validate the provided options"
        )
    if broken := schemas.violations(resolved, package.config):
        raise CosmosError(
            "JsonSchemaMismatch",
            "Options JSON failed validation",
            {"errors": [violation.as_json() for violation in broken]},
        )
    return resolved


def template_of(package: Package) -> str:
    """Return the package's mustache template."""
    assert package.marathon is not None
    try:
        return base64.b64decode(package.marathon.v2AppMustacheTemplate).decode()
    except ValueError as error:
        raise json_decoding("MarathonTemplate", str(error), package.name) from error


def render_template(template: str, context: Json) -> Json:
    """Fill a template and return the JSON object that it then is."""
    view = {name: _as_text(value, in_list=False) for name, value in context.items()}
    view["asJson"] = lambda name: _raw_json(context, name)
    try:
        text = mustache.render(template, view, _spelled)
        app = msgspec.json.decode(text)
    except mustache.MustacheError as error:
        raise CosmosError(
            "MarathonTemplateMustBeJsonObject", f"The package's template is malformed: {error}"
        ) from error
    except msgspec.DecodeError as error:
        raise CosmosError(
            "JsonParsingError",
            "Unable to parse the string as a JSON value",
            {"underlyingType": "Json", "parsingErrorMessage": str(error), "parsingInput": text},
        ) from error
    if not isinstance(app, dict):
        raise CosmosError(
            "MarathonTemplateMustBeJsonObject", "Rendered Marathon JSON must be a JSON object"
        )
    return app


def _as_text(value: Any, *, in_list: bool) -> Any:
    """Prepare a value: strings become what stands between JSON quotes, in lists quotes included."""
    if isinstance(value, str):
        spelled = msgspec.json.encode(value).decode()
        return spelled if in_list else spelled[1:-1]
    if isinstance(value, list):
        return [_as_text(item, in_list=True) for item in value]
    if isinstance(value, dict):
        return {name: _as_text(item, in_list=False) for name, item in value.items()}
    return value


def _spelled(value: Any) -> str:
    """Write a value that is not a string; strings inside it are spelled already."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(v if isinstance(v, str) else _spelled(v) for v in value) + "]"
    if isinstance(value, dict):
        items = (
            f'"{name}": ' + (f'"{item}"' if isinstance(item, str) else _spelled(item))
            for name, item in value.items()
        )
        return "{" + ", ".join(items) + "}"
    return msgspec.json.encode(value).decode()


def _raw_json(context: Json, name: str) -> str:
    """`{{#asJson}}option{{/asJson}}`: an option that holds JSON as text, put in unquoted."""
    value = context.get(name.strip())
    return value if isinstance(value, str) else "null"


def _string_labels(app: Json) -> Json:
    labels = app.get("labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        raise json_decoding("Map", "labels must be an object of strings", str(labels))
    return labels


def _package_labels(package: Package, source: str, given: Json) -> Json:
    return {
        NAME: package.name,
        VERSION: package.version,
        SOURCE: source,
        OPTIONS: base64.b64encode(msgspec.json.encode(given)).decode(),
        DEFINITION: envelope(package),
    }


_ENVELOPE_TYPE = "application/vnd.dcos.universe.package+json;charset=utf-8;version=v{}"


def envelope(package: Package) -> str:
    """Return the definition as a label: base64 of {metadata, data: base64 of gzip of JSON}."""
    version = package.packaging_version.partition(".")[0]
    # mtime 0: the same package must give the same label, or an update would restart the app.
    data = gzip.compress(msgspec.json.encode(package), mtime=0)
    wrapped = {
        "metadata": {"Content-Type": _ENVELOPE_TYPE.format(version), "Content-Encoding": "gzip"},
        "data": base64.b64encode(data).decode(),
    }
    return base64.b64encode(msgspec.json.encode(wrapped)).decode()


_package = msgspec.json.Decoder(Package)

_DEFINITION_MAX = 16 << 20
"""Bytes that a definition may unpack to; a label that unpacks to more is not ours."""


def opened(label: str) -> Package | None:
    """Return the definition in a label; None when the label is not one of ours."""
    try:
        wrapped = msgspec.json.decode(base64.b64decode(label))
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(base64.b64decode(wrapped["data"]), _DEFINITION_MAX)
        return _package.decode(data)
    except (ValueError, KeyError, TypeError, zlib.error, msgspec.MsgspecError):
        return None


def stored_options(labels: Json) -> Json | None:
    """Return the options that an app was installed with; None when they were not kept."""
    try:
        found = msgspec.json.decode(base64.b64decode(labels[OPTIONS]))
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError):
        return None
    return found if isinstance(found, dict) else None
