"""What `comity up` says when the cluster is ready."""

import os
import shutil
from pathlib import Path

from comity.cli.cluster import workdir
from comity.cli.cluster.addresses import Address

_NEXT = """\
try next:
  dcos cluster setup {gateway}
  dcos marathon app add examples/hello.json
  dcos package install kubernetes --yes
  dcos kubernetes kubeconfig && kubectl get nodes
  dcos task list
{stop}"""


def ready(chosen: dict[str, Address], work_dir: Path, *, detached: bool) -> str:
    """Return the text: where everything is, what is limited here, and what to try."""
    width = max(map(len, chosen)) + 2
    lines = [f"the cluster is ready (work directory {work_dir})", ""]
    lines += [f"  {name:{width}}{address.url}" for name, address in chosen.items()]
    lines += ["", *limits()]
    down = f"`{workdir.command('down', work_dir)}`"
    stop = f"stop it with {down}" if detached else f"stop it with Ctrl-C or {down}"
    return "\n".join(lines) + "\n" + _NEXT.format(gateway=chosen["gateway"].url, stop=stop)


def limits() -> list[str]:
    """Say what this machine or this user cannot do, and what happens instead."""
    if os.geteuid() != 0:
        reason = "you are not root"
    elif not (shutil.which("crun") or shutil.which("runc")):
        reason = "neither crun nor runc is installed"
    else:
        return []
    return [
        f"note: images cannot run here, because {reason}; an app or pod with an image waits and",
        "      says so. The image name `host` runs a command as a plain process instead.",
        "",
    ]
