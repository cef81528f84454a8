"""Cosmos's errors: a type, a sentence, data; 400 unless the type says otherwise."""

from typing import Any

import msgspec

from comity.core.errors import ComityError


class CosmosError(ComityError):
    """An error that the client gets as `application/vnd.dcos.package.error+json`."""

    def __init__(
        self, kind: str, message: str, data: dict[str, Any] | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.data = data
        self.status = status

    def body(self) -> bytes:
        """Return the error's JSON."""
        fields: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.data is not None:
            fields["data"] = self.data
        return msgspec.json.encode(fields)


def package_not_found(name: str) -> CosmosError:
    """No repository has the package."""
    return CosmosError("PackageNotFound", f"Package [{name}] not found", {"packageName": name})


def version_not_found(name: str, version: str) -> CosmosError:
    """The package exists, this version of it does not."""
    return CosmosError(
        "VersionNotFound",
        f"Version [{version}] of package [{name}] not found",
        {"packageName": name, "packageVersion": version},
    )


def app_not_found(app_id: str) -> CosmosError:
    """Marathon has no such app."""
    return CosmosError(
        "MarathonAppNotFound",
        f"Unable to locate service with marathon appId: '{app_id}'",
        {"appId": app_id},
    )


def no_template(name: str, version: str) -> CosmosError:
    """The package has only a command line, no app to render."""
    return CosmosError(
        "ServiceMarathonTemplateNotFound",
        f"Package: [{name}] version: [{version}] does not have a Marathon template defined and "
        "can not be rendered",
        {"packageName": name, "packageVersion": version},
    )


def json_decoding(type_name: str, problem: str, given: str) -> CosmosError:
    """A JSON value does not have the shape it should have."""
    return CosmosError(
        "JsonDecodingError",
        f"Unable to decode the JSON value as a {type_name}",
        {"typeName": type_name, "decodingErrorMessage": problem, "decodeInput": given[:1000]},
    )


def json_parsing(type_name: str, problem: str, given: str) -> CosmosError:
    """A text is not JSON."""
    return CosmosError(
        "JsonParsingError",
        "Unable to parse the string as a JSON value",
        {
            "underlyingType": type_name,
            "parsingErrorMessage": problem,
            "parsingInput": given[:1000],
        },
    )
