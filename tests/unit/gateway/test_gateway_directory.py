"""Which agents the gateway knows, by what masters say of them over time."""

from types import SimpleNamespace

import pytest

from comity.gateway.directory import AGENT_KEPT_S, Directory


class Cluster:
    """A master whose agents a test sets, and a clock that it moves."""

    def __init__(self):
        self.now = 0.0
        self.agents = {}
        self.rest = SimpleNamespace(base_url="http://127.0.0.1:5050")
        self.directory = Directory(None, self, max_age_s=1.0, clock=lambda: self.now)

    async def state_summary(self):
        agents = [{"id": name, "pid": f"slave(1)@{at}"} for name, at in self.agents.items()]
        return {"frameworks": [], "slaves": agents}

    async def after(self, seconds, agent_id):
        self.now += seconds
        return await self.directory.agent(agent_id)


@pytest.fixture
def cluster():
    return Cluster()


async def test_an_agent_is_found_while_a_new_master_does_not_know_it_yet(cluster):
    cluster.agents = {"S0": "10.0.0.1:5051"}
    assert await cluster.after(0, "S0") == "http://10.0.0.1:5051"
    cluster.agents = {}
    assert await cluster.after(2, "S0") == "http://10.0.0.1:5051"
    assert await cluster.after(AGENT_KEPT_S, "S0") is None


async def test_an_agent_that_comes_back_under_another_id_takes_the_place(cluster):
    cluster.agents = {"S0": "10.0.0.1:5051"}
    await cluster.after(0, "S0")
    cluster.agents = {"S1": "10.0.0.1:5051"}
    assert await cluster.after(2, "S0") is None
    assert await cluster.after(0, "S1") == "http://10.0.0.1:5051"


async def test_an_agent_that_nobody_ever_named_is_not_found(cluster):
    assert await cluster.after(0, "S9") is None
