"""Run tasks with pymesos, a Mesos framework library from PyPI: `pymesos_client.py MASTER COUNT`.

Runs in .clients. Prints a line per finished task and ends with 0 when all have finished.
"""

import sys
import threading

from addict import Dict
from pymesos import MesosSchedulerDriver, Scheduler


class TwentyTasks(Scheduler):
    """Launches tasks out of whatever is offered, until they have all finished."""

    def __init__(self, count):
        self.count, self.launched, self.finished = count, 0, set()
        self.done, self.problems = threading.Event(), []

    def registered(self, driver, framework_id, master_info):
        """Say that the master took us."""
        print("registered", framework_id.value, flush=True)

    def resourceOffers(self, driver, offers):
        """Launch as many tasks as fit into each offer."""
        for offer in offers:
            cpus = sum(r.scalar.value for r in offer.resources if r.name == "cpus")
            tasks = []
            while self.launched < self.count and cpus >= 0.1 * (len(tasks) + 1):
                tasks.append(self.task(offer))
            if tasks:
                driver.launchTasks(offer.id, tasks)
            else:
                driver.declineOffer(offer.id)

    def task(self, offer):
        """Describe the next task."""
        task = Dict()
        task.task_id.value = f"pymesos-{self.launched}"
        task.agent_id.value = offer.agent_id.value
        task.name = f"pymesos {self.launched}"
        task.command.value = "echo $MESOS_SANDBOX"
        task.resources = [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 16}},
        ]
        self.launched += 1
        return task

    def statusUpdate(self, driver, update):
        """Count the tasks that finished; anything else that ends is a problem."""
        if update.state == "TASK_FINISHED":
            self.finished.add(update.task_id.value)
            print("finished", update.task_id.value, flush=True)
        elif update.state not in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING"):
            self.problems.append(update)
        if self.problems or len(self.finished) == self.count:
            self.done.set()

    def error(self, driver, message):
        """Keep what the master complained of."""
        self.problems.append(message)
        self.done.set()


def main(master, count):
    """Run the framework to its end."""
    framework = Dict(user="root", name="pymesos e2e")
    scheduler = TwentyTasks(count)
    driver = MesosSchedulerDriver(scheduler, framework, master, use_addict=True)
    driver.start()
    in_time = scheduler.done.wait(60)
    driver.stop()
    driver.join()
    if scheduler.problems or not in_time:
        raise SystemExit(f"finished {len(scheduler.finished)}, problems: {scheduler.problems}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
