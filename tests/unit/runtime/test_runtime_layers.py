"""Layers as real tools and nobody's write them, and the users that images name."""

import gzip
import io
import lzma
import os
import stat
import struct
import tarfile

import pytest

from comity.runtime.containers import kernel, users
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.images import unpacking
from comity.runtime.images.errors import ImageInvalid
from support.fake_registries import BASE, Made, refused, serving, store, tar

CAP_NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
OPAQUE = "trusted.overlay.opaque"


def entry(name, kind=tarfile.REGTYPE, **fields):
    made = tarfile.TarInfo(name)
    made.type = kind
    made.mode = 0o755
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def packed(*entries):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for one in entries:
            archive.addfile(one, io.BytesIO(b"x" * one.size))
    return data.getvalue()


@pytest.fixture
def unpack(tmp_path):
    def run(data):
        (tmp_path / "layer").write_bytes(data)
        (tmp_path / "out").mkdir()
        unpacking.unpack(tmp_path / "layer", tmp_path / "out")
        return tmp_path / "out"

    return run


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"garbage" * 1000, "it is no tar archive, plain or compressed"),
        (gzip.compress(b"garbage" * 1000), "it is no tar archive, plain or compressed"),
        (packed(entry("a"))[:512] + b"garbage!" * 128, "bad checksum|invalid header"),
        (packed(entry("a"), entry("b", size=2000))[:2000], "unexpected end of data"),
        (packed(entry("a"), entry("b"))[:700], "truncated header"),
        (gzip.compress(packed(entry("a", size=9000)))[:-20], "ended before"),
        (lzma.compress(packed(entry("a", size=1 << 20)))[:-64] + b"!" * 64, "Corrupt input"),
        (packed(entry("a", mtime=1e30)), "timestamp out of range"),
        (packed(entry("a", uid=1 << 40)), "uid is (greater|less)"),
        (packed(entry(".wh.", size=1)), "a whiteout of nothing"),
        (packed(entry("a", tarfile.LNKTYPE, linkname="b")), "a hard link to what is no file of it"),
        (packed(entry("n" * 300)), "File name too long"),
    ],
)
def test_a_damaged_layer_is_refused_with_one_line_that_says_how(unpack, data, text):
    with pytest.raises(ImageInvalid, match=text) as caught:
        unpack(data)
    assert "\n" not in str(caught.value)


@pytest.mark.root
def test_capabilities_and_attributes_of_files_come_with_them_but_not_overlays_own(unpack):
    value = CAP_NET_RAW.decode("utf-8", "surrogateescape")
    headers = {
        "SCHILY.xattr.security.capability": value,
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
    }
    out = unpack(packed(entry("ping", mode=0o4755, uid=7, pax_headers=headers)))
    assert os.getxattr(out / "ping", "security.capability") == CAP_NET_RAW
    assert os.listxattr(out / "ping") == ["security.capability"]
    found = (out / "ping").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o4755, 7)


def test_a_later_entry_takes_the_place_of_an_earlier_one_of_any_kind(unpack):
    out = unpack(
        packed(
            entry("a", tarfile.DIRTYPE),
            entry("a/f", size=1),
            entry("a", size=2),
            entry("b", size=1),
            entry("b", tarfile.DIRTYPE),
            entry("c", tarfile.FIFOTYPE),
            entry("c", tarfile.FIFOTYPE),
            entry("/", tarfile.DIRTYPE, mode=0o711),
        )
    )
    assert (out / "a").read_bytes() == b"xx"
    assert (out / "b").is_dir()
    assert stat.S_IMODE(out.stat().st_mode) == 0o711


@pytest.mark.root
@pytest.mark.parametrize("is_first", [True, False])
def test_a_whiteout_hides_what_is_below_never_what_its_own_layer_has(unpack, is_first):
    marks = [entry(".wh.f"), entry(".wh.d"), entry(".wh.gone"), entry(".wh..wh.plnk")]
    files = [entry("f", size=1), entry("d", tarfile.DIRTYPE), entry("d/x", size=1)]
    out = unpack(packed(*(marks + files if is_first else files + marks)))
    assert (out / "f").read_bytes() == b"x"
    assert (out / "d/x").read_bytes() == b"x"
    assert os.getxattr(out / "d", OPAQUE) == b"y"
    assert stat.S_ISCHR((out / "gone").stat().st_mode)
    assert sorted(os.listdir(out)) == ["d", "f", "gone"]


def test_directories_keep_their_times_and_names_need_not_be_utf8(unpack):
    out = unpack(packed(entry("d", tarfile.DIRTYPE, mtime=7), entry("d/\udcff\udcfe", size=1)))
    assert (out / "d").stat().st_mtime == 7
    assert os.listdir(os.fsencode(out / "d")) == [b"\xff\xfe"]


@pytest.mark.root
def test_an_image_may_have_a_layer_twice_or_none(tmp_path):
    for name in ("low", "top"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    for lowers, found in ((["top", "low", "top"], ["f"]), ([], [])):
        place = tmp_path / f"bundle{len(lowers)}"
        kernel.overlay([str(tmp_path / one) for one in lowers], place)
        try:
            assert os.listdir(place / "root") == found
            assert not found or (place / "root/f").read_text() == "top"
        finally:
            kernel.unmount(place / "root")


async def test_a_name_that_is_too_long_is_refused_and_a_long_one_is_kept(tmp_path):
    with serving() as serve:
        registry = serve(Made(BASE, tar([("f", "x")])))
        kept = store(tmp_path)
        assert "above 255 long" in await refused(kept, f"{registry.host}/{'a' * 300}")
        assert "not in the registry" in await refused(kept, f"{registry.host}/{'a' * 200}:latest1")
        tag = "t" * 120
        assert "not in the registry" in await refused(kept, f"{registry.host}/{'a' * 200}:{tag}")


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("99999999999", "they go from 0 to 2147483647"),
        ("9" * 5000, "they go from 0 to"),
        ("0:4294967296", "they go from 0 to 2147483647"),
        ("²", "is not in the image"),
        ("-1", "is not in the image"),
    ],
)
def test_users_that_no_machine_has_are_refused(tmp_path, user, text):
    with pytest.raises(ContainerRefused, match=text):
        users.find(user, tmp_path)


def test_a_broken_passwd_stops_nobody(tmp_path):
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    (tmp_path / "etc/group").mkdir()
    assert users.find("7", tmp_path).uid == 7
    (tmp_path / "etc/passwd").unlink()
    (tmp_path / "etc/passwd").write_text("x\nme:x:5::::\nbig:x:99999999999:0:::\nno:x:²:0:::\n")
    assert users.find("me", tmp_path)[:2] == (5, 0)
    with pytest.raises(ContainerRefused, match="'big' is not in the image"):
        users.find("big", tmp_path)
