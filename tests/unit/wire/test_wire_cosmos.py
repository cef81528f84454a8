"""Cosmos's media types."""

import pytest

from comity.wire.cosmos import media_types
from comity.wire.cosmos.media_types import choose, is_same, package

V1, V2 = package("x-response", 1), package("x-response", 2)


def test_their_exact_text():
    assert V2 == "application/vnd.dcos.package.x-response+json;charset=utf-8;version=v2"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (V1, V1),
        (V2, V2),
        (f"{V1},{media_types.ERROR}", V1),
        (f"{media_types.ERROR},{V1}", V1),
        (f"{V1}, {V2}", V1),
        ("", V2),
        ("*/*", V2),
        ("application/json", V2),
        ("application/vnd.dcos.package.x-response+json; version=v1; charset=UTF-8", V1),
        ("application/vnd.dcos.package.x-response+json;version=v9", None),
        ("text/html", None),
    ],
)
def test_choosing(accept, chosen):
    assert choose(accept, [V2, V1]) == chosen


def test_spaces_and_case_do_not_matter():
    assert is_same("Application/X; B=2; a=1;q=0.5", "application/x;a=1;b=2")
    assert not is_same("application/x;a=1", "application/x;a=2")
