"""One cluster for all contract tests of a run."""

from collections.abc import Iterator

import pytest

from support.mesos_contract import Target, cluster


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    """Give the Mesos cluster under test."""
    with cluster() as found:
        yield found
