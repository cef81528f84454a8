"""The Kubernetes API as data: published schemas, the served resources, Status, timestamps.

Objects are plain dicts (ADR 0002): their fields are defined by `schemas`, which every part of the
API server walks instead of classes. `resources` says what is served under which path.
"""

from typing import Any

Json = dict[str, Any]
