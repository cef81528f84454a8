"""How a set of apps gets from one definition to another: plans, rolling restarts, scale-down order.

Pure and level-triggered: each function looks at what is there now and says what to do next, so a
restart of Marathon in the middle of a deployment simply asks again.
"""

from comity.policy.rollout.plans import Action, AppChange, Kind, plan_steps
from comity.policy.rollout.restarting import Bounds, Member, Move, bounds, next_move
from comity.policy.rollout.scaling import Candidate, KillSelection, Phase, scale_down

__all__ = [
    "Action",
    "AppChange",
    "Bounds",
    "Candidate",
    "KillSelection",
    "Kind",
    "Member",
    "Move",
    "Phase",
    "bounds",
    "next_move",
    "plan_steps",
    "scale_down",
]
