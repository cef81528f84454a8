"""Generated names: a base and five characters that spell no words."""

from collections.abc import Container
from random import Random

from comity.wire.kubernetes.status import ApiError

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_BASE_MAX = 58
_TRIES = 8


def generate(base: str, taken: Container[str], rng: Random) -> str:
    """Return a free name that begins with `base`.

    Raises:
        ApiError: 409, several draws were all taken.
    """
    for _ in range(_TRIES):
        name = base[:_BASE_MAX] + "".join(rng.choices(_LETTERS, k=5))
        if name not in taken:
            return name
    text = f'object names generated from "{base}" are all taken; try again'
    raise ApiError(409, "AlreadyExists", text)
