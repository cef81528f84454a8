"""What must not leave a process in a journal: environments, opaque bytes, passwords in URLs.

A value is replaced by a keyed digest of it, so that equal values stay equal (a machine may compare
two executors) and nothing can be read from them without the key, which is never written.
"""

import base64
import hashlib
import hmac
import re
from typing import Any

_URL_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")
_OWN_VARIABLES = re.compile(r"(MESOS_|LIBPROCESS_|COMITY_)\w+|PATH")
"""What we set ourselves, and read again."""


class Redactor:
    """Redacts documents: what JSON can hold, with bytes in base64 as the wire has them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def redacted(self, document: Any) -> Any:
        """Return a copy without what may be secret."""
        if isinstance(document, dict):
            return {name: self._field(name, value) for name, value in document.items()}
        if isinstance(document, list | tuple):
            return [self.redacted(each) for each in document]
        if isinstance(document, str) and "://" in document:
            return _URL_PASSWORD.sub("", document)
        return document

    def _field(self, name: str, value: Any) -> Any:
        if name == "data" and isinstance(value, str):
            return base64.b64encode(self._digest(value).encode()).decode()
        if name == "variables" and isinstance(value, list | tuple):
            return [self._variable(each) for each in value]
        if name == "environment" and isinstance(value, dict) and "variables" not in value:
            return {key: self._setting(key, each) for key, each in value.items()}
        return self.redacted(value)

    def _variable(self, variable: Any) -> Any:
        if not isinstance(variable, dict) or not isinstance(variable.get("value"), str):
            return self.redacted(variable)
        name = str(variable.get("name", ""))
        return self.redacted(variable) | {"value": self._setting(name, variable["value"])}

    def _setting(self, name: str, value: Any) -> Any:
        if not isinstance(value, str) or _OWN_VARIABLES.fullmatch(name):
            return self.redacted(value)
        return self._digest(value)

    def _digest(self, value: str) -> str:
        return "redacted-" + hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:16]
