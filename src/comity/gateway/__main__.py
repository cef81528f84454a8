"""`comity gateway`: the front door's command line."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from comity.gateway import shell
from comity.gateway.config import Config
from comity.runtime import logs, process

_EXAMPLES = """\
examples:
  comity gateway --work-dir ./gateway
  comity gateway --master http://127.0.0.1:5050 --marathon http://127.0.0.1:8080 \\
                 --cosmos http://127.0.0.1:7070 --auth
  cat ./gateway/admin-password      the password of the user `admin`, made at the first start
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gateway until a signal ends it; returns the exit code."""
    config = parse(argv)
    logs.configure("gateway")
    return process.run(lambda stop: shell.serve(config, stop))


def parse(argv: Sequence[str] | None) -> Config:
    """Read the flags."""
    defaults = Config()
    parser = argparse.ArgumentParser(
        prog="comity gateway",
        description="One entry to the whole cluster, laid out as DC/OS's Admin Router.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--master", default=defaults.master, help="the Mesos master (%(default)s)")
    add("--marathon", default=defaults.marathon, help="Marathon (%(default)s)")
    add("--cosmos", default=defaults.cosmos, help="the package service (%(default)s)")
    add("--ip", default=defaults.ip, help="address to listen on (%(default)s)")
    add("--port", type=int, default=defaults.port, help="port to listen on (%(default)s)")
    add("--work-dir", type=Path, default=defaults.work_dir, help="state (%(default)s)")
    add(
        "--auth",
        action="store_true",
        help="ask callers for a token, as it must beyond loopback",
    )
    add("--credential", type=Path, help="file of the principal that we are to the components")
    given = parser.parse_args(argv)
    return Config(**vars(given))


if __name__ == "__main__":
    sys.exit(main())
