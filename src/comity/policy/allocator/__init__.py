"""Who is offered what: hierarchical Dominant Resource Fairness with weights, quota and terms.

`allocator` is what the master calls. `tree` holds the roles and their shares, `ranking` the order
of siblings, `lottery` drawing instead, `quota` guarantees and limits, `book` who may be offered
what of which agent, `filters` refusals, `constraints` and `patterns` offer constraints, `cycle` the
giving itself; `explaining` says why a framework gets nothing.
"""

from comity.policy.allocator.allocator import Allocator
from comity.policy.allocator.cycle import Allocation
from comity.policy.allocator.explaining import Obstacle, RoleExplained
from comity.policy.allocator.filters import Refusal, expiry
from comity.policy.allocator.terms import Minimum, Settings, Terms, Traits, minimum_of

__all__ = [
    "Allocation",
    "Allocator",
    "Minimum",
    "Obstacle",
    "Refusal",
    "RoleExplained",
    "Settings",
    "Terms",
    "Traits",
    "expiry",
    "minimum_of",
]
