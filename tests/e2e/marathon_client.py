"""Drive an app with the Marathon client from PyPI: `marathon_client.py URL`.

Runs in .clients. Prints one word per step done; any surprise ends it with a trace.
"""

import collections
import collections.abc
import sys
import time

# The client is of a time before Python 3.10, and still looks for this name.
collections.Iterable = collections.abc.Iterable

from marathon import MarathonClient  # noqa: E402
from marathon.models import MarathonApp, MarathonHealthCheck  # noqa: E402

APP = "/e2e-client"
SERVE = "exec python3 -m http.server $PORT0 --bind $HOST --directory ."


def wait(condition, what, timeout_s=60):
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {timeout_s} s: {what}")
        time.sleep(0.1)
    print(what, flush=True)


def main(url):
    """Create, scale, update, kill and delete an app."""
    client = MarathonClient(url)
    assert client.ping().strip() in (b'"pong"', '"pong"')  # quoted: it asks for JSON
    assert client.get_info().name == "marathon"
    check = MarathonHealthCheck(
        protocol="HTTP", path="/", port_index=0, grace_period_seconds=30, interval_seconds=1
    )
    app = MarathonApp(
        cmd=SERVE, cpus=0.1, mem=32, instances=1, health_checks=[check], env={"V": "1"}
    )
    client.create_app(APP, app)

    def current():
        return client.get_app(APP)

    wait(lambda: current().tasks_healthy == 1 and not current().deployments, "created")
    client.scale_app(APP, instances=3)
    wait(lambda: current().tasks_healthy == 3 and not current().deployments, "scaled")
    before = {task.id for task in client.list_tasks(APP)}
    assert len(before) == 3, before

    changed = client.get_app(APP)
    changed.env = {"V": "2"}
    client.update_app(APP, changed)
    wait(
        lambda: (
            not current().deployments
            and current().tasks_healthy == 3
            and not before & {task.id for task in client.list_tasks(APP)}
        ),
        "updated",
    )
    assert len(client.list_versions(APP)) >= 2

    victim = client.list_tasks(APP)[0].id
    client.kill_task(APP, victim)
    wait(
        lambda: (
            current().tasks_running == 3
            and victim not in {task.id for task in client.list_tasks(APP)}
        ),
        "killed",
    )
    client.delete_app(APP, force=True)
    wait(lambda: APP not in {app.id for app in client.list_apps()}, "deleted")


if __name__ == "__main__":
    main(sys.argv[1])
