"""The README's tour works as it is written, line by line."""

import re

from support.clusters import ROOT


def tour() -> str:
    """Return the lines that the README tells people to type."""
    [block] = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return block


def test_the_tour(cluster, clients):
    said = cluster.run("bash", "-euxo", "pipefail", "-c", tour(), timeout_s=300)
    listed = said[said.index("NAME") :]
    assert "marathon" in listed
    assert "guestbook-" in listed
    assert 'deployment.apps "guestbook" deleted' in said
