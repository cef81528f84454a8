"""The work of simulated schedulers: tasks as they remember them, and what launches them."""

from dataclasses import dataclass, field

from comity.resources import text
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import codec, resources, v1

_GIVEN_UP = (
    v1.TaskState.ERROR,
    v1.TaskState.DROPPED,
    v1.TaskState.GONE,
    v1.TaskState.GONE_BY_OPERATOR,
)
"""States that a master may say last."""
_OUT_OF_SIGHT = (v1.TaskState.LOST, v1.TaskState.UNREACHABLE, v1.TaskState.UNKNOWN)


@dataclass(slots=True)
class Job:
    """A task as its scheduler remembers it."""

    name: str
    command: str
    needs: str
    agent_id: str | None = None
    state: v1.TaskState | None = None
    """None until the launch was written down; then what was last heard."""
    is_ended: bool = False
    """Whether an executor's own terminal update came, after which nothing may come."""
    is_unwanted: bool = False
    """Whether the scheduler wants it killed."""

    @property
    def is_done(self) -> bool:
        """Whether the scheduler expects nothing of it any more."""
        return self.is_ended or self.state in _GIVEN_UP

    @property
    def is_out_of_sight(self) -> bool:
        """Whether its agent is away, perhaps for good, or no master knows anything of it."""
        return self.state in _OUT_OF_SIGHT


@dataclass(slots=True)
class Memory:
    """What survives a scheduler's crash."""

    framework_id: str | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    is_over: bool = False
    """Whether a master said that the framework has ended."""
    waiting: dict[str, Job] = field(default_factory=dict)
    """Jobs that were not launched yet."""

    def submit(self, job: Job) -> None:
        """Take a job that is to be launched when there is an offer for it."""
        self.jobs[job.name] = self.waiting[job.name] = job


@dataclass(slots=True, kw_only=True)
class Manner:
    """How a scheduler behaves."""

    failover_timeout_s: float = 3600.0
    checkpoint: bool = True
    capabilities: tuple[str, ...] = ("PARTITION_AWARE",)
    roles: tuple[str, ...] = ()
    format: codec.Format = codec.Format.JSON
    """What it speaks and hears."""
    ack_s: float = 0.0
    """How long it thinks about an update."""
    think_s: float = 0.0
    """How long it holds offers."""
    reconcile_s: float = 30.0
    refuse_s: float = 5.0
    greed: int = 3
    """How many tasks it launches on an offer at most."""
    stammer: float = 0.0
    """How often it acknowledges or kills twice, as one that tries again."""
    operations: float = 0.0
    """How often it reserves disk, makes a volume, or takes either back."""
    groups: float = 0.0
    """How often it launches them as a task group on a default executor, of which it has two."""
    customs: float = 0.0
    """How often, otherwise, it launches them on an executor of its own, of which it has two."""


def executor_of(kind: v1.ExecutorType, number: int) -> v1.ExecutorInfo:
    """Return one of a framework's executors: the built-in one of groups, or one of its own."""
    is_custom = kind is v1.ExecutorType.CUSTOM
    return v1.ExecutorInfo(
        executor_id=v1.Id(value=f"{'custom' if is_custom else 'default'}-{number}"),
        type=kind,
        command=v1.CommandInfo(value="executor") if is_custom else None,
        resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
    )


def _task(job: Job, executor: v1.ExecutorInfo | None = None) -> v1.TaskInfo:
    assert job.agent_id is not None
    return v1.TaskInfo(
        name=job.name,
        task_id=v1.Id(value=job.name),
        agent_id=v1.Id(value=job.agent_id),
        resources=resources.write(text.parse(job.needs)),
        command=v1.CommandInfo(value=job.command) if executor is None else None,
        executor=executor,
        data=job.command.encode() if executor is not None else None,
    )


def fitting(jobs: list[Job], free: Resources, executor: v1.ExecutorInfo | None) -> list[Job]:
    """Return the tasks that there is room for, beside their executor if they need one."""
    held = resources.read(executor.resources) if executor is not None else NOTHING
    if not free.contains(held):
        return []
    free = free - held
    chosen = []
    for job in jobs:
        needs = text.parse(job.needs)
        if free.contains(needs):
            free = free - needs
            chosen.append(job)
    return chosen


def operation(jobs: list[Job], executor: v1.ExecutorInfo | None) -> v1.Operation:
    """Return what launches tasks: each for itself, on an executor, or as a group."""
    if executor is None or executor.type is v1.ExecutorType.CUSTOM:
        infos = tuple(_task(job, executor) for job in jobs)
        return v1.Operation(type="LAUNCH", launch=v1.Launch(task_infos=infos))
    infos = tuple(_task(job) for job in jobs)
    group = v1.LaunchGroup(executor=executor, task_group=v1.TaskGroupInfo(tasks=infos))
    return v1.Operation(type="LAUNCH_GROUP", launch_group=group)
