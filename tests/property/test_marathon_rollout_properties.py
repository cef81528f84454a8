"""Rolling restarts step by step: safe at every step, and always at an end some day."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from comity.policy.rollout import (
    AppChange,
    Candidate,
    KillSelection,
    Kind,
    Member,
    Phase,
    bounds,
    next_move,
    plan_steps,
    scale_down,
)

FRACTIONS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])


class Rollout:
    """Instances of an app during a restart; the world moves them on by chance."""

    def __init__(self, seed: int, healthy: int, sick: int) -> None:
        self.rng = random.Random(seed)
        self.count = 0
        self.members: list[Member] = []
        for is_healthy in [True] * healthy + [False] * sick:
            self.add(is_new=False, is_healthy=is_healthy)

    def add(self, *, is_new: bool, is_healthy: bool) -> None:
        self.count += 1
        self.members.append(Member(f"t{self.count}", is_new, is_healthy))

    def kill(self, task_ids: tuple[str, ...]) -> None:
        self.members = [
            Member(one.task_id, one.is_new, one.is_healthy, is_leaving=True)
            if one.task_id in task_ids
            else one
            for one in self.members
        ]

    def move_on(self) -> None:
        """Let some leaving ones end and some new ones turn healthy."""
        moved: list[Member] = []
        for one in self.members:
            chance = self.rng.random() < 0.5
            if one.is_leaving and chance:
                continue
            if one.is_new and not one.is_leaving and chance:
                one = Member(one.task_id, is_new=True, is_healthy=True)
            moved.append(one)
        self.members = moved

    def healthy(self) -> int:
        return sum(one.is_healthy and not one.is_leaving for one in self.members)


@given(
    instances=st.integers(1, 12),
    healthy=st.integers(0, 12),
    sick=st.integers(0, 4),
    over=FRACTIONS,
    capacity=FRACTIONS,
    seed=st.integers(0, 1 << 30),
)
def test_a_restart_keeps_its_bounds_and_ends(
    instances: int, healthy: int, sick: int, over: float, capacity: float, seed: int
) -> None:
    rollout = Rollout(seed, healthy, sick)
    limits = bounds(instances, over, capacity)
    for _ in range(400):
        move = next_move(instances, limits, rollout.members)
        before, total = rollout.healthy(), len(rollout.members)
        rollout.kill(move.kill)
        assert rollout.healthy() >= min(before, limits.healthy_min)
        assert not move.start or total + move.start <= limits.capacity_max
        for _ in range(move.start):
            rollout.add(is_new=True, is_healthy=False)
        if move.done:
            break
        rollout.move_on()
    assert move.done
    assert len(rollout.members) == instances
    assert all(one.is_new and one.is_healthy for one in rollout.members)


@given(instances=st.integers(1, 200), over=FRACTIONS, capacity=FRACTIONS)
def test_bounds_are_those_of_the_upgrade_strategy(
    instances: int, over: float, capacity: float
) -> None:
    found = bounds(instances, over, capacity)
    assert found.healthy_min == math.ceil(round(instances * capacity, 6))
    plain = math.floor(round(instances * (1 + over), 6))
    assert found.capacity_max == plain + (plain == found.healthy_min)
    assert found.capacity_max > found.healthy_min or found.capacity_max == plain


APPS = [f"/a{number}" for number in range(5)]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(APPS),
        st.one_of(st.none(), st.integers(0, 3)),
        st.one_of(st.none(), st.integers(0, 3)),
        st.booleans(),
        st.lists(st.integers(0, 4), max_size=3),
    ),
    unique_by=lambda one: one[0],
    max_size=5,
)


@given(drawn=CHANGES)
def test_plans_do_what_is_needed_in_the_order_of_dependencies(drawn: list[tuple]) -> None:
    changes = [
        # only on apps with a smaller number, so that there is no circle
        AppChange(
            name, before, after, config, tuple(APPS[n] for n in below if n < APPS.index(name))
        )
        for name, before, after, config, below in drawn
    ]
    steps = plan_steps(changes)
    assert all(steps)
    at = {
        action.app_id: index
        for index, step in enumerate(steps)
        for action in step
        if action.kind in (Kind.SCALE, Kind.RESTART)
    }
    for change in changes:
        kinds = [action.kind for step in steps for action in step if action.app_id == change.app_id]
        assert kinds == _expected(change)
        for below in change.dependencies:
            if below in at and change.app_id in at:
                assert at[below] < at[change.app_id]


def _expected(change: AppChange) -> list[Kind]:
    if change.after is None:
        return [] if change.before is None else [Kind.STOP]
    if change.before is None:
        return [Kind.START, Kind.SCALE]
    if change.config_changed and change.after:
        return [Kind.RESTART]
    return [Kind.SCALE] if change.config_changed or change.before != change.after else []


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.uuids().map(str),
        st.sampled_from(list(Phase)),
        st.integers(0, 5).map(float),
        st.just({}),
    ),
    unique_by=lambda one: one.task_id,
    max_size=10,
)


@given(
    candidates=CANDIDATES,
    count=st.integers(0, 12),
    selection=st.sampled_from(list(KillSelection)),
    data=st.data(),
)
def test_scale_down_takes_the_sentenced_then_the_least_useful(
    candidates: list[Candidate], count: int, selection: KillSelection, data: st.DataObject
) -> None:
    names = [one.task_id for one in candidates]
    sentenced = data.draw(st.lists(st.sampled_from(names), unique=True) if names else st.just([]))
    found = scale_down(candidates, count, selection, sentenced=sentenced)
    assert len(found) == len(set(found)) == min(len(names), max(count, len(sentenced)))
    assert set(found[: len(sentenced)]) == set(sentenced)
    by_name = {one.task_id: one for one in candidates}
    chosen = [by_name[one] for one in found[len(sentenced) :]]
    spared = [one for one in candidates if one.task_id not in found]
    for gone in chosen:
        for kept in spared:
            assert gone.phase <= kept.phase
            if gone.phase == kept.phase:
                youngest = selection is KillSelection.YOUNGEST_FIRST
                assert gone.since >= kept.since if youngest else gone.since <= kept.since
