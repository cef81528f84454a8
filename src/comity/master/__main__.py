"""`comity master`: run a master."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from comity.master import shell
from comity.master.config import MasterConfig
from comity.runtime import logs, process

_EXAMPLES = """examples:
  comity master --work-dir /var/lib/comity/master
  comity master --ip 10.0.0.5 --credentials /etc/comity/credentials.json
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="comity master",
        description="Run a master: it admits agents, offers their resources, and passes on tasks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = MasterConfig()
    parser.add_argument("--ip", default=default.ip, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=default.port, help="port (%(default)s)")
    parser.add_argument("--hostname", default="", help="name that others are told (the address)")
    parser.add_argument(
        "--work-dir", type=Path, default=default.work_dir, help="directory of the registry"
    )
    parser.add_argument("--cluster", default=default.cluster, help="the cluster's name")
    parser.add_argument("--credentials", type=Path, help="file of callers' credentials")
    parser.add_argument(
        "--max-operator-event-stream-subscribers",
        type=int,
        default=default.max_operator_event_stream_subscribers,
        help="operators that may watch at a time (%(default)s)",
    )
    parser.add_argument("--log-file", type=Path, help="file that /files shows as /master/log")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    logs.configure("master")
    config = MasterConfig(
        ip=args.ip,
        port=args.port,
        hostname=args.hostname,
        work_dir=args.work_dir,
        cluster=args.cluster,
        credentials=args.credentials,
        log_file=args.log_file,
        max_operator_event_stream_subscribers=args.max_operator_event_stream_subscribers,
    )
    return process.run(lambda stop: shell.run(config, stop))


if __name__ == "__main__":
    sys.exit(main())
