"""`comity kubernetes`: run the Kubernetes control plane, as a task of a Mesos cluster.

One process with the API server, the controllers and the scheduler; the latter two are ordinary
clients of the API over HTTPS, each with a token of its own (ADR 0010).
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from comity.core.containers import LogLimits
from comity.core.errors import UserError
from comity.core.programs import own_command
from comity.kube.apiserver.shell.running import RunningApi, Settings
from comity.resources import quantities
from comity.runtime import logs, process
from comity.runtime.http.credentials import own_headers

_LOG_SIZE = "bytes of a container's stdout after which it is rotated (%(default)s)"
_LOG_FILES = "files of it that are kept, at least 2 (%(default)s)"
_COMPONENTS = ("apiserver", "controllers", "scheduler")
_EXAMPLES = """examples:
  dcos package install kubernetes
  comity kubernetes --master http://127.0.0.1:5050 --data-dir /var/lib/comity/kubernetes
  comity kubernetes --components apiserver --data-dir /tmp/kubernetes
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="comity kubernetes",
        description="Run a Kubernetes control plane whose pods run on a Mesos cluster's agents.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--master", default="http://127.0.0.1:5050", help="URL of the Mesos master (%(default)s)")
    add("--ip", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=31443, help="port of the API, HTTPS (%(default)s)")
    add("--admin-port", type=int, help="port of health and kubeconfig, HTTP (none)")
    add("--data-dir", type=Path, required=True, help="directory of everything that must last")
    add("--framework-name", default="kubernetes", help="name of the framework (%(default)s)")
    add("--credential", type=Path, help="file of the framework's credential for the master")
    add("--container-log-max-size", default="10Mi", metavar="QUANTITY", help=_LOG_SIZE)
    add("--container-log-max-files", type=int, default=5, metavar="N", help=_LOG_FILES)
    add("--components", default=",".join(_COMPONENTS), help="which to run (%(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    logs.configure("kubernetes")
    return process.run(lambda stop: _run(args, stop))


async def _run(args: argparse.Namespace, stop: asyncio.Event) -> None:
    chosen = {part.strip() for part in args.components.split(",")}
    unknown = chosen - set(_COMPONENTS)
    if unknown or "apiserver" not in chosen:
        known = ",".join(_COMPONENTS)
        raise UserError(f"--components: apiserver, and any of {known}; not {args.components}")
    api = RunningApi(
        Settings(
            ip=args.ip,
            port=args.port,
            admin_port=args.admin_port,
            data_dir=args.data_dir,
            bootstrap_token=os.environ.get("KUBERNETES_BOOTSTRAP_TOKEN", ""),
        )
    )
    jobs = [asyncio.create_task(api.driver.run_until(stop))]
    try:
        await api.start()
        process.settle_heap()
        logs.ready(api.url)
        jobs += [asyncio.create_task(job) for job in _clients(args, api, chosen, stop)]
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        stop.set()
        await asyncio.wait(jobs, timeout=5)
        await api.stop()


def _clients(
    args: argparse.Namespace, api: RunningApi, chosen: set[str], stop: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    """Return the parts that are clients of the API, each with its own token."""
    found: list[Coroutine[Any, Any, None]] = []
    keys = api.keys
    if "controllers" in chosen:
        from comity.kube.controllers import shell as controllers

        token = keys.tokens["system:kube-controller-manager"]
        found.append(controllers.run(api.url, token, keys.ca_pem, stop))
    if "scheduler" in chosen:
        from comity.kube.scheduler import shell as scheduler

        access = scheduler.Access(
            api_url=api.url,
            ca_pem=keys.ca_pem,
            token=keys.tokens["system:kube-scheduler"],
            node_token=keys.tokens["system:nodes"],
            kubelet_token=keys.kubelet_token,
            master_url=args.master,
            master_headers=own_headers(args.credential),
            framework_name=args.framework_name,
            command=os.environ.get("COMITY_COMMAND") or own_command(),
            logs=_logs(args),
        )
        found.append(scheduler.run(access, stop))
    return found


def _logs(args: argparse.Namespace) -> LogLimits:
    """Return what a kubelet has as containerLogMaxSize and containerLogMaxFiles."""
    try:
        size = int(quantities.parse(args.container_log_max_size))
    except ValueError as error:
        raise UserError(f"--container-log-max-size: {error}") from error
    if size < 0 or not 2 <= args.container_log_max_files <= 1000:
        raise UserError(
            "--container-log-max-size must not be negative (0: no rotation), and "
            "--container-log-max-files must be 2 to 1000"
        )
    return LogLimits(max_size=size, max_files=args.container_log_max_files)


if __name__ == "__main__":
    sys.exit(main())
