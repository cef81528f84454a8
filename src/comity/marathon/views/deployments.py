"""Deployments and their plans."""

from collections.abc import Sequence
from typing import Any

from comity.marathon.state import Deployment
from comity.policy.rollout import Action, Kind

Json = dict[str, Any]


def deployment_json(deployment: Deployment) -> Json:
    """Return a running deployment with the step it is in."""
    apps = sorted({one.app_id for step in deployment.steps for one in step})
    step = deployment.steps[deployment.current]
    return {
        "id": deployment.id,
        "version": deployment.version,
        "affectedApps": apps,
        "affectedPods": [],
        "steps": [step_json(one) for one in deployment.steps],
        "currentActions": [action_json(one) | {"readinessCheckResults": []} for one in step],
        "currentStep": deployment.current + 1,
        "totalSteps": len(deployment.steps),
    }


def plan_json(deployment: Deployment) -> Json:
    """Return a deployment's plan, as events carry it.

    Since Marathon 1.8 plans are light: the groups before and after are only named. They are there
    at all because PyPI's client cannot read a plan without them.
    """
    return {
        "id": deployment.id,
        "version": deployment.version,
        "original": {"id": "/"},
        "target": {"id": "/", "version": deployment.version},
        "steps": [step_json(one) for one in deployment.steps],
    }


def step_json(step: Sequence[Action]) -> Json:
    """Return one step of a plan."""
    return {"actions": [action_json(one) for one in step]}


def action_json(action: Action) -> Json:
    """Return one action of a step."""
    assert isinstance(action.kind, Kind)
    return {"action": action.kind.value, "app": action.app_id}
