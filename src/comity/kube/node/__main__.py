"""`comity kube-node`: the Kubernetes node executor. Agents start it; nobody else does."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from comity.kube.node import config
from comity.kube.node.shell import session
from comity.runtime import logs, process
from comity.sdk.executor import Executor

_EPILOG = """
The scheduler of the kubernetes package launches this as the executor of pods, one per agent:

  ExecutorInfo.command.value  comity kube-node
  ExecutorInfo.data           {"apiserver": URL, "ca": PEM, "token": …, "kubeletToken": …}
  ExecutorInfo.resources      cpus, mem, and one port for the node's HTTP endpoint

Everything else comes from the MESOS_* environment that the agent sets.
"""


async def _main(stop: asyncio.Event) -> None:
    given = config.from_environment(os.environ)
    async with Executor.from_environment() as agent:
        await session.serve(given, agent, stop)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executor until the agent ends it."""
    parser = argparse.ArgumentParser(
        prog="comity kube-node",
        description="Run the pods of one agent, as a Mesos executor.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--verbose", action="store_true", help="log more")
    options = parser.parse_args(argv)
    logs.configure("kube-node", verbose=options.verbose)
    return process.run(_main)


if __name__ == "__main__":
    sys.exit(main())
