"""What readers see: state to JSON objects, synchronously and without changing anything."""

from comity.marathon.views.apps import (
    app_info,
    app_json,
    app_list,
    app_query,
    app_version,
    app_versions,
    embeds,
    single_app,
)
from comity.marathon.views.counting import counts, task_stats
from comity.marathon.views.deployments import action_json, deployment_json, plan_json, step_json
from comity.marathon.views.groups import apps_within, group, group_tasks, root_version
from comity.marathon.views.launch_queue import queue
from comity.marathon.views.pods import (
    find_pod,
    instances_json,
    pod_json,
    pod_list,
    pod_status,
    pod_statuses,
    pod_version,
    pod_versions,
)
from comity.marathon.views.tasks import (
    all_tasks,
    app_tasks,
    health_json,
    is_healthy,
    task_json,
    tasks_of,
)

__all__ = [
    "action_json",
    "all_tasks",
    "app_info",
    "app_json",
    "app_list",
    "app_query",
    "app_tasks",
    "app_version",
    "app_versions",
    "apps_within",
    "counts",
    "deployment_json",
    "embeds",
    "group",
    "group_tasks",
    "health_json",
    "is_healthy",
    "find_pod",
    "instances_json",
    "pod_json",
    "pod_list",
    "pod_status",
    "pod_statuses",
    "pod_version",
    "pod_versions",
    "plan_json",
    "queue",
    "root_version",
    "single_app",
    "step_json",
    "task_json",
    "task_stats",
    "tasks_of",
]
