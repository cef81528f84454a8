"""What ids that others choose may look like."""

import re

LENGTH_MAX = 255
_ODD = re.compile(r"[\x00-\x1f\x7f/\\]")


def fault_of(text: str, what: str) -> str | None:
    """Return why an id could not name a directory (mesos validation::id), or None."""
    if not text or len(text) > LENGTH_MAX:
        return f"{what} must have 1 to {LENGTH_MAX} characters"
    if text in (".", ".."):
        return f"'{text}' is disallowed as {what}"
    if _ODD.search(text):
        return f"{what} {text!r} contains a slash or a control character"
    return None
