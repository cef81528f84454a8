from comity.core.effects import Write
from comity.sim.disk import Disk
from comity.sim.network import Network
from comity.sim.world import World


class End:
    def __init__(self):
        self.heard = []
        self.breaks = 0

    def received(self, connection, message):
        self.heard.append(message)

    def broken(self, connection):
        self.breaks += 1


def pair(seed=1, **settings):
    world = World(seed)
    network = Network(world)
    for name, value in settings.items():
        setattr(network, name, value)
    client, server = End(), End()
    network.listen("b", server)
    return world, network, client, server, network.dial("a", client, "b")


def test_messages_of_a_connection_stay_in_order_however_late():
    world, _, _, server, connection = pair(loss=0.5, delay_s=0.1)
    for number in range(50):
        connection.send(number, to_server=True)
    world.run(100.0)
    assert server.heard == list(range(50))


def test_a_partition_holds_back_and_lets_pass_in_order():
    world, network, _, server, connection = pair()
    network.block("a", "b")
    for number in range(5):
        connection.send(number, to_server=True)
    world.run(10.0)
    assert server.heard == []
    network.unblock("a", "b")
    connection.send(5, to_server=True)
    world.run(1.0)
    assert server.heard == [0, 1, 2, 3, 4, 5]


def test_a_partition_breaks_the_senders_end_in_the_end_and_the_other_does_not_know():
    world, network, client, server, connection = pair(give_up_s=20.0)
    connection.send(1, to_server=True)
    world.run(1.0)
    network.block("a", "b")
    connection.send(2, to_server=True)
    world.run(30.0)
    assert (client.breaks, server.breaks) == (1, 0)
    network.unblock("a", "b")
    connection.send(3, to_server=False)
    world.run(1.0)
    assert (server.heard, server.breaks) == ([1], 1)


def test_a_one_way_partition_delivers_and_breaks_all_the_same():
    world, network, client, server, connection = pair(give_up_s=20.0)
    network.block("b", "a")
    connection.send(1, to_server=True)
    world.run(30.0)
    assert (server.heard, client.breaks) == ([1], 1)


def test_what_was_said_before_a_process_died_arrives_and_then_the_end():
    world, network, client, server, connection = pair()
    connection.send(1, to_server=True)
    world.run(1.0)
    connection.send(2, to_server=False)
    network.drop_process({id(server)}, power=False)
    connection.send(3, to_server=False)
    world.run(1.0)
    assert (client.heard, client.breaks) == ([2], 1)


def test_a_loss_of_power_is_noticed_only_by_who_sends():
    world, network, client, server, connection = pair()
    connection.send(1, to_server=True)
    world.run(1.0)
    network.drop_process({id(server)}, power=True)
    network.listen("b", None)
    world.run(100.0)
    assert client.breaks == 0
    connection.send(2, to_server=True)
    world.run(1.0)
    assert (server.heard, client.breaks) == ([1], 1)


def test_nobody_listens():
    world, network, client, _, connection = pair()
    network.listen("b", None)
    connection.send(1, to_server=True)
    world.run(1.0)
    assert client.breaks == 1
    assert not network.connections


def test_a_crash_takes_a_whole_batch_of_writes_or_none_of_it():
    outcomes = set()
    for seed in range(20):
        world = World(seed)
        disk = Disk(world, "x")
        told = []
        disk.append([Write("a", b"1"), Write("b", b"2")], told.append)
        disk.crash(power=False)
        world.run(1.0)
        assert told == []
        outcomes.add(tuple(key for key, _ in disk.range()))
    assert outcomes == {(), ("a", "b")}


def test_what_was_acknowledged_survives_a_loss_of_power():
    world = World(1)
    disk = Disk(world, "x")
    told = []
    disk.append([Write("a", b"1")], told.append)
    world.run(1.0)
    disk.crash(power=True)
    assert (told, disk.range()) == ([True], [("a", b"1")])


def test_a_full_disk_refuses_and_changes_nothing():
    world = World(1)
    disk = Disk(world, "x")
    disk.full = True
    told = []
    disk.append([Write("a", b"1")], told.append)
    world.run(1.0)
    assert (told, disk.range()) == ([False], [])
