"""`comity cosmos`: the package service's command line."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from comity.cosmos import shell
from comity.cosmos.config import Config
from comity.runtime import logs, process

_EXAMPLES = """\
examples:
  comity cosmos --master http://127.0.0.1:5050 --marathon http://127.0.0.1:8080 --work-dir ./cosmos
  curl -s -X POST http://127.0.0.1:7070/package/search -H 'Content-Type: application/json' -d '{}'
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the package service until a signal ends it; returns the exit code."""
    config = parse(argv)
    logs.configure("cosmos")
    return process.run(lambda stop: shell.serve(config, stop))


def parse(argv: Sequence[str] | None) -> Config:
    """Read the flags."""
    defaults = Config()
    parser = argparse.ArgumentParser(
        prog="comity cosmos",
        description="Resolve, render, install and uninstall packages.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--master", default=defaults.master, help="the Mesos master (%(default)s)")
    add("--marathon", default=defaults.marathon, help="the Marathon to install on (%(default)s)")
    add("--ip", default=defaults.ip, help="address to listen on (%(default)s)")
    add("--port", type=int, default=defaults.port, help="port to listen on (%(default)s)")
    add("--work-dir", type=Path, default=defaults.work_dir, help="state (%(default)s)")
    add(
        "--service-data-dir",
        type=Path,
        default=defaults.service_data_dir,
        help="where services keep what outlives their tasks (%(default)s)",
    )
    add("--comity-command", default="", help="how a task calls comity (as this process does)")
    add("--credentials", type=Path, help="file of the principals who may call us")
    add("--credential", type=Path, help="file of the principal that we are to others")
    given = parser.parse_args(argv)
    return Config(**vars(given))


if __name__ == "__main__":
    sys.exit(main())
