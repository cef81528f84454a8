"""UPDATE_FRAMEWORK: a framework changes itself without subscribing again.

The one scheduler call that is answered with 200, or with why not (Mesos: Master::updateFramework).
"""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.master import permissions
from comity.master.handlers import frameworks, publishing, sending
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.withdrawing import withdraw_offers
from comity.master.state import Framework, State
from comity.wire.mesos import scheduler, v1


def update_framework(
    state: State,
    framework: Framework,
    asked: tuple[int, scheduler.UpdateFramework],
    now: Instant,
    out: Outbox,
) -> None:
    """Replace a framework's info and suppressed roles; offers for roles it leaves are rescinded."""
    to, call = asked
    body = call.update_framework
    fault = _fault_of(state, framework, body)
    if fault is not None:
        sending.refused(to, 400, fault, out)
        return
    info = body.framework_info
    if not permissions.may_use_roles(state.acls, info, frameworks.roles_of(info)):
        sending.refused(to, 403, "Not authorized to use the framework's roles", out)
        return
    has_changed = framework.info != info
    frameworks.replace_info(framework, body.framework_info)
    framework.suppressed = set(body.suppressed_roles)
    framework.offer_constraints = body.offer_constraints
    left = [one for one in framework.offers.values() if one.role not in framework.roles]
    withdraw_offers(state, left, out, tell=True)
    frameworks.let_take_part(state, framework)
    if has_changed:
        frameworks.tell_agents(state, framework, out)
        publishing.framework_updated(state, framework, out)
    sending.refused(to, 200, "", out)
    want_cycle(state, now, out)


def _fault_of(
    state: State, framework: Framework, body: scheduler.UpdateFrameworkBody
) -> str | None:
    info = body.framework_info
    if info.id is None or info.id.value != framework.id:
        return "'framework_id' differs from 'framework_info.id'"
    fault = frameworks.fault_of(state, info, body)
    if fault is not None:
        return f"Supplied FrameworkInfo is not valid: {fault}"
    fault = _immutable_fault(framework.info, info)
    return f"FrameworkInfo update is not valid: {fault}" if fault is not None else None


def _immutable_fault(old: v1.FrameworkInfo, new: v1.FrameworkInfo) -> str | None:
    """Return which field was changed that cannot be (Mesos: validation::framework)."""
    for name in ("principal", "user", "checkpoint"):
        if getattr(old, name) != getattr(new, name):
            return f"Updating 'FrameworkInfo.{name}' is unsupported"
    return None
