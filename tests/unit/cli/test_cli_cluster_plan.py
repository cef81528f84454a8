"""Sharing the machine, choosing addresses, planning command lines."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.cli import up
from comity.cli.cluster import addresses, machine, plan, workdir
from comity.cli.cluster.addresses import Address
from comity.cli.cluster.plan import Options
from comity.core.errors import UserError
from comity.runtime import tls


def numbers(ranges):
    return [port for first, last in ranges for port in range(first, last + 1)]


@given(st.integers(1, up.AGENTS_MAX))
def test_dynamic_ports_are_split_and_the_first_agent_keeps_the_kubernetes_pair(agents):
    pair = set(numbers([machine.KUBERNETES_PORTS]))
    shares = [numbers(machine.port_ranges(index, agents)) for index in range(agents)]
    dynamic = [port for share in shares for port in share if port not in pair]
    assert [pair <= set(share) for share in shares] == [True] + [False] * (agents - 1)
    assert sorted(dynamic) == sorted(numbers(machine.PORT_BLOCKS))
    assert min(map(len, shares)) > 5


@given(st.integers(1, up.AGENTS_MAX))
def test_the_kubernetes_pair_touches_no_other_range(agents):
    ranges = machine.port_ranges(0, agents)
    assert machine.KUBERNETES_PORTS in ranges
    edges = {first - 1 for first, _ in ranges} & {last for _, last in ranges}
    assert not edges & {31441, 31443}


def test_agents_share_the_machine_evenly():
    shares = machine.share(machine.Capacity(2.0, 4001, 1000), 2)
    assert shares[0].startswith("cpus:1;mem:2000;disk:500;ports:[")
    assert shares[0] != shares[1]


def test_thirds_of_a_core_are_cut_to_thousandths():
    assert machine.share(machine.Capacity(1.0, 900, 900), 3)[0].startswith("cpus:0.333;")


def test_components_know_each_other(tmp_path):
    claimed = workdir.claim(tmp_path)
    options = Options(agents=2, auth=True, docker_registry="/images", forbid_host_image=True)
    chosen = plan.settle_addresses(options, {}, {})
    parts = {p.name: p for p in plan.components(options, chosen, ["cpus:1", "cpus:2"], claimed)}
    claimed.release()
    assert list(parts) == ["master", "agent1", "agent2", "marathon", "cosmos", "gateway"]
    assert parts["agent2"].address == Address("127.0.0.12", 5052)
    assert "http://127.0.0.1:5050" in parts["agent1"].argv
    assert parts["agent1"].argv[-3:] == ["--docker-registry", "/images", "--forbid-host-image"]
    assert parts["gateway"].argv[-1] == "--auth"
    assert parts["agent1"].cleanup[-1] == "--recover=cleanup"
    assert not parts["master"].cleanup


def test_an_asked_port_wins_over_the_remembered_and_that_over_the_default():
    known = {"master": Address("127.0.0.1", 6000), "marathon": Address("127.0.0.1", 6001)}
    chosen = plan.settle_addresses(Options(agents=1), {"master": 7000, "marathon": 0}, known)
    assert chosen["master"].port == 7000
    assert chosen["marathon"].port == 6001
    assert chosen["cosmos"].port == 7070


def test_port_zero_is_some_free_port():
    chosen = plan.settle_addresses(Options(agents=2), dict.fromkeys(plan.PORTS, 0), {})
    assert all(address.port for address in chosen.values())
    plan.check_addresses(chosen)


def test_a_taken_port_names_its_user_its_holder_and_the_flag():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(*server.getsockname())
        with pytest.raises(UserError, match=r"the master needs.*process \d+.*--master-port"):
            addresses.check_free(address, "the master", "--master-port")


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(UserError, match="no address of this machine"):
        addresses.check_free(Address("192.0.2.1", 0), "agent1", "--first-agent-ip")


def test_options_are_remembered():
    earlier = Options(agents=3, auth=True)
    assert up.choose({}, earlier) == earlier
    assert up.choose({"agents": 3, "name": "lab"}, earlier).name == "lab"


def test_the_agents_of_a_directory_are_settled():
    with pytest.raises(UserError, match="made with agents = 3"):
        up.choose({"agents": 2}, Options(agents=3))


@pytest.mark.parametrize("agents", [0, -1, up.AGENTS_MAX + 1])
def test_a_senseless_number_of_agents_is_refused(agents):
    with pytest.raises(UserError, match="--agents takes"):
        up.choose({"agents": agents}, None)


def test_a_missing_image_directory_is_refused(tmp_path):
    with pytest.raises(UserError, match="--docker-registry"):
        up.choose({"docker_registry": str(tmp_path / "none")}, None)


def test_a_registry_url_is_kept():
    assert up.choose({"docker_registry": "http://127.0.0.1:5000"}, None).docker_registry


def test_free_ports_leave_given_ports_alone():
    arguments = vars(up.parser().parse_args(["--free-ports", "--gateway-port", "8001"]))
    assert up.asked_ports(arguments) == {**dict.fromkeys(plan.PORTS, 0), "gateway": 8001}


def test_a_senseless_port_is_refused():
    arguments = vars(up.parser().parse_args(["--gateway-port", "70000"]))
    with pytest.raises(UserError, match="--gateway-port"):
        up.asked_ports(arguments)


def test_a_cluster_of_one_machine_does_without_tls(monkeypatch):
    monkeypatch.setattr(tls, "settings", lambda: tls.Settings(is_enabled=True))
    with pytest.raises(UserError, match="unset LIBPROCESS_SSL_ENABLED"):
        up.choose({}, None)
