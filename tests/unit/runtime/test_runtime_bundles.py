"""What an image and a container's description make of each other (OCI image-spec, config)."""

from pathlib import Path

import pytest

from comity.core.containers import Spec
from comity.runtime.containers import bundles
from comity.runtime.images.store import Image


@pytest.mark.parametrize(
    ("own", "of_image", "found"),
    [
        ({}, (), bundles.DEFAULT_PATH),
        ({}, ("PATH=/image",), "/image"),
        ({"PATH": "/own"}, (), "/own"),
        ({"PATH": "/own"}, ("PATH=/image",), "/own"),
        ({"PATH": bundles.DEFAULT_PATH}, ("PATH=/image",), bundles.DEFAULT_PATH),
    ],
)
def test_programs_are_looked_for_where_the_nearest_says(own, of_image, found):
    image = Image((), (), (), of_image, "", "")
    spec = Spec(id="c", sandbox=Path("/s"), environment=own)
    told = dict(one.split("=", 1) for one in bundles.environment(spec, image, "/root"))
    assert told == {"HOME": "/root", "PATH": found}
