"""Deployments and their plans."""

from collections.abc import Sequence
from typing import Any

from comity.marathon.state import Deployment
from comity.policy.rollout import Action, Kind

Json = dict[str, Any]


def deployment_json(deployment: Deployment) -> Json:
    """Return a running deployment with the step it is in."""
    affected = sorted({one.app_id for step in deployment.steps for one in step})
    pods = [one for one in affected if one in deployment.original_pods]
    step = deployment.steps[deployment.current]
    return {
        "id": deployment.id,
        "version": deployment.version,
        "affectedApps": [one for one in affected if one not in deployment.original_pods],
        "affectedPods": pods,
        "steps": [step_json(deployment, one) for one in deployment.steps],
        "currentActions": [
            action_json(deployment, one) | {"readinessCheckResults": []} for one in step
        ],
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
        "steps": [step_json(deployment, one) for one in deployment.steps],
    }


def step_json(deployment: Deployment, step: Sequence[Action]) -> Json:
    """Return one step of a plan."""
    return {"actions": [action_json(deployment, one) for one in step]}


def action_json(deployment: Deployment, action: Action) -> Json:
    """Return one action of a step, in the words for apps or for pods."""
    assert isinstance(action.kind, Kind)
    if action.app_id not in deployment.original_pods:
        return {"action": action.kind.value, "app": action.app_id}
    name = action.kind.value.replace("Application", "Pod")
    return {"action": name, "pod": action.app_id}
