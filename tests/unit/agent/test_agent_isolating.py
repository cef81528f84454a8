"""ContainerInfo and DockerInfo in words of our own: each field works or is refused."""

import pytest

from comity.agent import docker_options, isolating, mounting, secret_references
from comity.agent.docker_options import Options, Unsupported
from comity.core.capabilities import NAMES
from comity.core.containers import Device, Isolation, Mount, NamedSecret, RLimit
from comity.wire.mesos import numbers, v1
from comity.wire.mesos.base import Parameter, Secret, SecretReference, SecretValue
from comity.wire.mesos.containers import (
    AppcImage,
    CapabilityInfo,
    DockerImage,
    DockerInfo,
    DockerVolume,
    HostPath,
    Image,
    LinuxInfo,
    MesosInfo,
    MountPropagation,
    RLimitInfo,
    SeccompInfo,
    Volume,
    VolumeSource,
)
from comity.wire.mesos.containers import RLimit as WireLimit


def of(has_root=True, kind="MESOS", **fields):
    return isolating.options_of(v1.ContainerInfo(type=kind, **fields), None, has_root=has_root)


def docker(*pairs, **fields):
    parameters = tuple(Parameter(key=key, value=value) for key, value in pairs)
    return of(kind="DOCKER", docker=DockerInfo(image="x", parameters=parameters, **fields))


def test_capabilities_are_named_as_in_the_protocol():
    named = numbers.CAPABILITY_INFO_CAPABILITY
    assert {name: 1000 + place for place, name in enumerate(NAMES)} == {
        name: number for name, number in named.items() if number
    }


def test_what_linux_info_says():
    linux = LinuxInfo(
        bounding_capabilities=CapabilityInfo(capabilities=("CHOWN", "KILL")),
        effective_capabilities=CapabilityInfo(capabilities=("KILL",)),
        seccomp=SeccompInfo(unconfined=True),
        share_pid_namespace=True,
        ipc_mode="PRIVATE",
        shm_size=16,
    )
    assert of(linux_info=linux).isolation == Isolation(
        capabilities=("CHOWN", "KILL"),
        effective=("KILL",),
        seccomp="unconfined",
        share_pid=True,
        private_ipc=True,
        shm_bytes=16 << 20,
    )


def test_what_docker_is_told():
    found = docker(
        ("cap-add", "net_admin"),
        ("cap-drop", "CAP_CHOWN"),
        ("ulimit", "nofile=1:2"),
        ("ulimit", "core=-1"),
        ("device", "/dev/fuse"),
        ("device", "/dev/a:r"),
        ("tmpfs", "/run:size=1m,ro"),
        ("volume", "/a:/b:ro"),
        ("env", "A=b=c"),
        ("entrypoint", "/go"),
        ("label", "a=b"),
        privileged=True,
    )
    assert found == Options(
        isolation=Isolation(
            added=("NET_ADMIN",),
            dropped=("CHOWN",),
            rlimits=(RLimit("NOFILE", 1, 2), RLimit("CORE")),
            devices=(Device("/dev/fuse", "/dev/fuse"), Device("/dev/a", "/dev/a", "r")),
            privileged=True,
        ),
        mounts=(
            Mount("", "/run", True, kind="tmpfs", options=("size=1m", "ro")),
            Mount("/a", "/b", True),
        ),
        environment={"A": "b=c"},
        entrypoint="/go",
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"mesos": MesosInfo(image=Image(type="APPC", appc=AppcImage(name="x")))}, "Appc"),
        ({"linux_info": LinuxInfo(shm_size=1)}, "needs an 'ipc_mode' of PRIVATE"),
        ({"linux_info": LinuxInfo(seccomp=SeccompInfo(profile_name="my"))}, "profile 'my' is not"),
        (
            {"rlimit_info": RLimitInfo(rlimits=(WireLimit(type="RLMT_NOFILE", soft=1),))},
            "must have both",
        ),
        (
            {"rlimit_info": RLimitInfo(rlimits=(WireLimit(type="RLMT_CPU", soft=2, hard=1),))},
            "'soft' above its 'hard'",
        ),
        ({"hostname": "-no-"}, "is not a host name"),
    ],
)
def test_fields_that_cannot_be_had(fields, text):
    with pytest.raises(Unsupported, match=text):
        of(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"hostname": "h"},
        {"linux_info": LinuxInfo(ipc_mode="PRIVATE")},
        {"kind": "DOCKER", "docker": DockerInfo(image="host", privileged=True)},
    ],
)
def test_a_plain_process_is_refused_what_needs_an_image(fields):
    with pytest.raises(Unsupported, match="give it an image"):
        of(has_root=False, **fields)


def test_effective_capabilities_must_be_bounded():
    linux = LinuxInfo(
        bounding_capabilities=CapabilityInfo(capabilities=("CHOWN",)),
        effective_capabilities=CapabilityInfo(capabilities=("KILL",)),
    )
    with pytest.raises(Unsupported, match="must be among"):
        of(linux_info=linux)


def mounts(tmp_path, *volumes, has_root=True):
    container = v1.ContainerInfo(type="MESOS", volumes=volumes)
    return mounting.mounts_of(container, mounting.Around(tmp_path, None, has_root))


def test_volumes_of_every_kind(tmp_path):
    propagation = MountPropagation(mode="BIDIRECTIONAL")
    path = HostPath(path="/shared", mount_propagation=propagation)
    secret = Secret(type="VALUE", value=SecretValue(data=b"hush"))
    image = Image(type="DOCKER", docker=DockerImage(name="x"))
    assert mounts(
        tmp_path,
        Volume(container_path="/a", host_path="/x", mode="RO"),
        Volume(container_path="b", host_path="below"),
        Volume(container_path="/c", source=VolumeSource(type="HOST_PATH", host_path=path)),
        Volume(container_path="/d", source=VolumeSource(type="SECRET", secret=secret)),
        Volume(container_path="/e", image=image),
    ) == (
        Mount("/x", "/a", True),
        Mount(f"{tmp_path}/below", "/mnt/mesos/sandbox/b", make=True),
        Mount("/shared", "/c", options=("rshared",)),
        Mount("aHVzaA==", "/d", True, kind="secret"),
        Mount("x", "/e", kind="image"),
    )


def test_secrets_that_are_only_named_are_found_later():
    def secret(name, key=None):
        return Secret(type="REFERENCE", reference=SecretReference(name=name, key=key))

    variable = v1.Variable(name="V", type="SECRET", secret=secret("a/b", "k"))
    plain = v1.Variable(name="P", value="plain")
    command = v1.CommandInfo(environment=v1.Environment(variables=(variable, plain)))
    source = VolumeSource(type="SECRET", secret=secret("file"))
    docker = DockerImage(name="x", config=secret("login"))
    container = v1.ContainerInfo(
        type="MESOS",
        volumes=(Volume(container_path="in", source=source),),
        mesos=MesosInfo(image=Image(type="DOCKER", docker=docker)),
    )
    assert secret_references.named(command, container) == (
        NamedSecret(name="a/b", key="k", place="variable", target="V"),
        NamedSecret(name="file", place="file", target="/mnt/mesos/sandbox/in"),
        NamedSecret(name="login", place="image"),
    )


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        (Volume(container_path="/a"), "has no source"),
        (Volume(container_path="/a", host_path="../x"), "leads out of the sandbox"),
        (
            Volume(
                container_path="/a",
                source=VolumeSource(type="DOCKER_VOLUME", docker_volume=DockerVolume(name="x")),
            ),
            "no drivers for DOCKER_VOLUME",
        ),
    ],
)
def test_volumes_that_cannot_be_had(tmp_path, volume, text):
    with pytest.raises(Unsupported, match=text):
        mounts(tmp_path, volume)


def test_a_plain_process_sees_paths_of_the_machine_but_no_images(tmp_path):
    path = Volume(container_path="/a", host_path="/x", mode="RO")
    assert mounts(tmp_path, path, has_root=False) == (Mount("/x", "/a", True),)
    image = Image(type="DOCKER", docker=DockerImage(name="x"))
    with pytest.raises(Unsupported, match="of kind image needs a container with an image"):
        mounts(tmp_path, Volume(container_path="a", image=image), has_root=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pid", "container:x"),
        ("ipc", "container:x"),
        ("tmpfs", "tmp"),
        ("tmpfs", "/tmp:uid=3"),
        ("volume", "named:/x"),
        ("device", "/etc/passwd"),
        ("security-opt", "seccomp=/a/profile"),
        ("pids-limit", "many"),
        ("read-only", "perhaps"),
        ("--memory", "1g"),
    ],
)
def test_docker_parameters_that_cannot_be_had(key, value):
    with pytest.raises(Unsupported, match=key.lstrip("-")):
        docker((key, value))


def test_sizes():
    assert [docker_options.size(text, "x") for text in ("5", "1k", "2M", "1gb")] == [
        *(5, 1 << 10, 2 << 20, 1 << 30)
    ]
