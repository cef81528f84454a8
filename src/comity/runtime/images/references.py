"""Image references: `registry/name:tag` and `registry/name@digest`."""

import re

from msgspec import Struct

from comity.runtime.images.errors import ImageInvalid

_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_NAME_MAX = 255
"""With the host, as in Docker's references."""
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Reference(Struct, frozen=True):
    """Which image is meant. `host` is empty when the reference names none."""

    host: str
    name: str
    tag: str
    digest: str = ""

    @property
    def wanted(self) -> str:
        """Return what to ask a registry for: the digest if there is one, else the tag."""
        return self.digest or self.tag

    def at(self, digest: str) -> str:
        """Return the image's name with a digest, which names the same image for ever."""
        return f"{self.host}/{self.name}@{digest}" if self.host else f"{self.name}@{digest}"


def parse(text: str) -> Reference:
    """Return the parts of a reference.

    Raises:
        ImageInvalid: it is none.
    """
    rest, _, digest = text.partition("@")
    head, slash, tail = rest.partition("/")
    host = ""
    if slash and ("." in head or ":" in head or head == "localhost"):
        host, rest = head, tail
    name, _, tag = rest.partition(":")
    tag = tag or "latest"
    if not _NAME.fullmatch(name) or not _TAG.fullmatch(tag):
        raise ImageInvalid(f"'{text}' is not an image reference; write for example busybox:1.36")
    if len(host) + len(slash) + len(name) > _NAME_MAX:
        raise ImageInvalid(
            f"'{text[:40]}…' is not an image reference: it is above {_NAME_MAX} long"
        )
    if digest and not _DIGEST.fullmatch(digest):
        raise ImageInvalid(f"'{text}' has a digest that is not sha256 and 64 digits")
    return Reference(host, name, tag, digest)
