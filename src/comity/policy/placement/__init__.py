"""Where instances go: constraints, ports and resources against the offers at hand.

Pure: an offer and what is already placed go in, a fit or the first reason against it comes out.
Semantics: Marathon's `Constraints.scala` and `RunSpecOfferMatcher`.
"""

from comity.policy.placement.constraints import Constraint, Operator, Placed, accepts, victims
from comity.policy.placement.fitting import Demand, Fit, OfferedNode, Reason, Room, fit
from comity.policy.placement.ports import PortDemand, pick_ports

__all__ = [
    "Constraint",
    "Demand",
    "Fit",
    "OfferedNode",
    "Operator",
    "Placed",
    "PortDemand",
    "Reason",
    "Room",
    "accepts",
    "fit",
    "pick_ports",
    "victims",
]
