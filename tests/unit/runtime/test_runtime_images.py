"""Images from registries, mirrors, directories and archives, into a store and out of it."""

import gzip
import io
import json
import tarfile

import pytest
import zstandard

from comity.core.errors import UserError
from comity.runtime.containers.errors import ImageRefused
from comity.runtime.images import sources, unpacking
from support.fake_registries import (
    BASE,
    OWN,
    Made,
    content,
    described,
    digest_of,
    refused,
    serving,
    store,
    tar,
)


@pytest.fixture
def serve():
    with serving() as make:
        yield make


async def test_an_image_is_pulled_once_and_its_layers_are_shared(tmp_path, serve):
    one, two = serve(), serve(Made(BASE))
    kept = store(tmp_path)
    image = await kept.get(f"{one.host}/box")
    await kept.get(f"{one.host}/box")
    other = await kept.get(f"{two.host}/box")
    assert [path for path, _ in one.asked if "/manifests/" in path] == ["/v2/box/manifests/latest"]
    assert image.layers[0] == other.layers[0]
    assert not [path for path, _ in two.asked if digest_of(BASE) in path]
    assert image.command == ("sh",)
    found = [content(image.layers[0], "file"), content(image.layers[1], "own")]
    assert found == ["base", "mine"]
    assert {one.name for one in kept.images()} == {f"{one.host}/box", f"{two.host}/box"}


async def test_a_download_goes_on_where_it_broke_off(tmp_path, serve):
    registry = serve()
    registry.cuts = 2
    image = await store(tmp_path).get(f"{registry.host}/box")
    assert len(image.layers) == 2


async def test_what_breaks_off_again_and_again_is_given_up(tmp_path, serve):
    registry = serve()
    registry.cuts = 1000
    assert "breaks off" in await refused(store(tmp_path), f"{registry.host}/box")


async def test_a_blob_that_is_not_what_its_digest_says_is_refused(tmp_path, serve):
    registry = serve()
    registry.made.blobs[digest_of(OWN)] = OWN[:-1] + b"x"
    assert "digest mismatch" in await refused(store(tmp_path), f"{registry.host}/box")


async def test_an_image_can_be_asked_for_by_digest(tmp_path, serve):
    registry = serve()
    await store(tmp_path).get(f"{registry.host}/box@{digest_of(registry.made.manifest)}")
    wrong = f"{registry.host}/box@sha256:{'0' * 64}"
    assert "is not in the registry" in await refused(store(tmp_path / "other"), wrong)


async def test_an_image_for_another_machine_says_so(tmp_path, serve):
    registry = serve(Made(BASE, architecture="s390x"))
    assert "is for linux/s390x" in await refused(store(tmp_path), f"{registry.host}/box")


async def test_a_mirror_is_asked_first_and_the_registry_when_it_lacks_it(tmp_path, serve):
    registry, full = serve(), serve()
    rules = {registry.host: {"mirrors": (full.host,)}}
    await store(tmp_path / "a", rules=rules).get(f"{registry.host}/box")
    assert registry.asked == []
    rules = {registry.host: {"mirrors": ("127.0.0.1:9", full.host)}}
    await store(tmp_path / "b", rules=rules).get(f"{registry.host}/box")
    rules = {registry.host: {"mirrors": ("127.0.0.1:9",)}}
    await store(tmp_path / "c", rules=rules).get(f"{registry.host}/box")
    assert registry.asked


async def test_a_registry_that_is_not_there_says_so(tmp_path):
    assert "cannot reach the registry" in await refused(store(tmp_path), "127.0.0.1:9/box")


@pytest.mark.parametrize("packed", [lambda data: data, gzip.compress, zstandard.compress])
def test_layers_come_plain_or_compressed(tmp_path, packed):
    (tmp_path / "layer").write_bytes(packed(tar([("d", tarfile.DIRTYPE), ("d/f", "x")])))
    (tmp_path / "out").mkdir()
    unpacking.unpack(tmp_path / "layer", tmp_path / "out")
    assert (tmp_path / "out/d/f").read_text() == "x"


@pytest.mark.parametrize("kind", [tarfile.BLKTYPE, tarfile.CHRTYPE])
async def test_a_layer_with_a_device_node_is_refused(tmp_path, serve, kind):
    registry = serve(Made(BASE, tar([("dev/sda", kind)])))
    kept = store(tmp_path)
    text = await refused(kept, f"{registry.host}/box")
    assert text.endswith("a layer has a device node: dev/sda")


def write_archive(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


async def test_an_archive_of_docker_save_and_one_of_oci_are_images(tmp_path):
    made = Made(tar([("f", "x")]))
    listed = [{"Config": "c.json", "RepoTags": ["saved:1"], "Layers": ["l/layer.tar"]}]
    members = {
        "manifest.json": json.dumps(listed).encode(),
        "c.json": made.config,
        "l/layer.tar": made.layers[0],
    }
    write_archive(tmp_path / "saved.tar", members)
    index = {"manifests": [described(made.manifest)]}
    blobs = {f"blobs/sha256/{digest[7:]}": data for digest, data in made.blobs.items()}
    blobs[f"blobs/sha256/{digest_of(made.manifest)[7:]}"] = made.manifest
    write_archive(tmp_path / "oci.tar", {"index.json": json.dumps(index).encode(), **blobs})
    kept = store(tmp_path, default=str(tmp_path))
    assert (await kept.get("saved:1")).layers == (await kept.get("oci")).layers
    with pytest.raises(ImageRefused, match="saved:2 is not in"):
        await kept.get("saved:2")
    with pytest.raises(ImageRefused, match="no OCI layout of image none"):
        await kept.get("none")


NONSENSE = [b"", b"[]", b"null", b"\xff", b"[" * 100_000]
MANIFESTS = [
    b'{"layers": 7}',
    b'{"layers": [7], "config": {}}',
    b'{"manifests": {}}',
    b'{"manifests": [7]}',
    b'{"manifests": [{"platform": 7}]}',
]
CONFIGS = [
    b'{"config": 7}',
    b'{"config": {"Env": 7, "Cmd": [{}]}}',
    b'{"config": {"Entrypoint": [7], "User": []}}',
]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        *(("manifest", each) for each in NONSENSE + MANIFESTS),
        *(("config", each) for each in NONSENSE + CONFIGS),
    ],
)
async def test_documents_that_are_nonsense_are_refused_and_leave_nothing(
    tmp_path, serve, kind, given
):
    made = Made(BASE)
    if kind == "manifest":
        made.manifest = given
    else:
        made.blobs[digest_of(given)] = given
        document = json.loads(made.manifest)
        document["config"] = described(given)
        made.manifest = json.dumps(document).encode()
    registry, kept = serve(made), store(tmp_path)
    assert await refused(kept, f"{registry.host}/box")
    assert (kept.pulls, kept.images()) == ({}, [])
    assert list((tmp_path / "store/pulls").iterdir()) == []


async def test_a_directory_is_looked_into_before_the_registry_of_a_name(tmp_path, serve):
    registry = serve()
    made, held = Made(tar([("f", "offline")])), tmp_path / "held"
    index = {"manifests": [described(made.manifest)]}
    blobs = {f"blobs/sha256/{digest[7:]}": data for digest, data in made.blobs.items()}
    blobs[f"blobs/sha256/{digest_of(made.manifest)[7:]}"] = made.manifest
    for name in (f"{registry.host}/team/app:1.tar", "busybox.tar"):
        (held / name).parent.mkdir(parents=True, exist_ok=True)
        write_archive(held / name, {"index.json": json.dumps(index).encode(), **blobs})
    kept = store(tmp_path, default=str(held))
    for name in (f"{registry.host}/team/app:1", "docker.io/library/busybox:1.36"):
        [layer] = (await kept.get(name)).layers
        assert content(layer, "f") == "offline"
    assert registry.asked == []
    assert len((await kept.get(f"{registry.host}/box")).layers) == 2


async def test_pruning_keeps_what_is_used_and_the_layers_it_shares(tmp_path, serve):
    one, two = serve(), serve(Made(BASE))
    kept = store(tmp_path)
    await kept.get(f"{one.host}/box")
    image = await kept.get(f"{two.host}/box")
    removed = kept.prune({f"{two.host}/box"})
    assert [each.name for each in removed] == [f"{one.host}/box"]
    layers = {path.name for path in (tmp_path / "store/layers").iterdir()}
    assert layers == {digest_of(BASE).replace(":", "-")}
    assert content(image.layers[0], "file") == "base"
    assert (await kept.get(f"{one.host}/box")).layers[0] == image.layers[0]
    kept.prune(set())
    assert list((tmp_path / "store/layers").iterdir()) == []


async def test_what_a_killed_agent_left_half_done_goes_at_the_next_start(tmp_path, serve):
    registry = serve()
    half = tmp_path / "store/pulls/1-2/0/unpacked"
    half.mkdir(parents=True)
    (half / "file").write_text("half")
    kept = store(tmp_path)
    assert list((tmp_path / "store/pulls").iterdir()) == []
    await kept.get(f"{registry.host}/box")


def test_settings_of_registries_are_read_from_a_file(tmp_path):
    file = tmp_path / "registries.toml"
    file.write_text('[registry."r:5000"]\nmirrors = ["m"]\ninsecure = true\n')
    assert sources.read_rules(file) == {"r:5000": sources.Rules(("m",), True)}
    file.write_text('[registry."r:5000"]\nmirror = "m"\n')
    with pytest.raises(UserError, match="unknown mirror"):
        sources.read_rules(file)
