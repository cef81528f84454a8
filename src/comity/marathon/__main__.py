"""`comity marathon`: run a Marathon."""

import argparse
import asyncio
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from comity.marathon.config import Config
from comity.marathon.shell import serve
from comity.runtime import logs, process

_EXAMPLES = """examples:
  comity marathon --master http://127.0.0.1:5050 --work-dir /var/lib/comity/marathon
  comity marathon --port 0 --work-dir /tmp/m    # a free port; the `ready` line names it
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and serve until told to stop; returns the exit code."""
    config = _parse(argv)
    logs.configure("marathon")

    async def run(stop: asyncio.Event) -> None:
        await serve(config, stop)

    return process.run(run)


def _parse(argv: Sequence[str] | None) -> Config:
    defaults = Config()
    parser = argparse.ArgumentParser(
        prog="comity marathon",
        description="Run Marathon: apps and pods over a REST API, as a framework of Mesos.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--master", default=defaults.master, help="URL of the Mesos master")
    parser.add_argument("--ip", default=defaults.ip, help="address to listen on")
    parser.add_argument("--port", type=int, default=defaults.port, help="0 takes a free one")
    parser.add_argument(
        "--work-dir", type=Path, default=defaults.work_dir, help="holds marathon.sqlite"
    )
    parser.add_argument(
        "--credentials", type=Path, help="who may call: JSON, needed beyond loopback"
    )
    parser.add_argument("--credential", type=Path, help="who we are to the master: JSON")
    parser.add_argument(
        "--framework-name", default=defaults.framework_name, help="our name at the master"
    )
    parser.add_argument(
        "--default-network-name",
        "--default_network_name",
        default=defaults.default_network_name,
        metavar="NAME",
        help="network of apps and pods whose container network has no name",
    )
    parser.add_argument(
        "--draining-seconds",
        "--draining_seconds",
        dest="draining_s",
        type=float,
        default=defaults.draining_s,
        metavar="SECONDS",
        help="how long before a machine's maintenance nothing is started there",
    )
    parser.add_argument(
        "--user",
        default=pwd.getpwuid(os.getuid()).pw_name,
        help="user that tasks run as (whoever runs this)",
    )
    return Config(**vars(parser.parse_args(argv)))


if __name__ == "__main__":
    raise SystemExit(main())
