"""Mesos's metrics in Prometheus's text format."""

import pytest

from comity.wire import prometheus


@pytest.mark.parametrize(
    ("name", "family", "labels"),
    [
        ("master/uptime_secs", "master_uptime_secs", {}),
        ("master/cpus_total", "master_resource_size", {"resource": "cpus"}),
        (
            "slave/mem_revocable_used",
            "slave_resource_used",
            {"resource": "mem", "revocable": "true"},
        ),
        ("master/gpus_percent", "master_resource_used_ratio", {"resource": "gpus"}),
        ("master/tasks_running", "master_tasks", {"state": "running"}),
        ("master/tasks_gone_by_operator", "master_tasks_ended", {"state": "gone_by_operator"}),
        (
            "master/task_lost/source_slave/reason_executor_terminated",
            "master_task_reasons",
            {"state": "lost", "source": "slave", "reason": "executor_terminated"},
        ),
        (
            "master/frameworks/a%2Fb%20c/M-0000/calls/accept",
            "master_framework_calls",
            {"framework": "a/b c", "framework_id": "M-0000", "type": "accept"},
        ),
        (
            "containers/F/web%2F1/c.d/mem_rss_bytes",
            "container_mem_rss_bytes",
            {"framework_id": "F", "executor_id": "web/1", "container_id": "c.d"},
        ),
        (
            "allocator/mesos/roles/eng/ads/shares/dominant",
            "allocator_role_dominant_share",
            {"role": "eng/ads"},
        ),
        (
            "allocator/mesos/allocation_run_ms/p99",
            "allocator_mesos_allocation_run_ms",
            {"quantile": "0.99"},
        ),
    ],
)
def test_names_and_labels(name, family, labels):
    assert prometheus.sample(name, 1.0) == (family, labels, 1.0)


def test_sums_of_labelled_numbers_are_left_out():
    assert prometheus.sample("master/frameworks/n/id/calls", 3.0) is None


def test_text():
    gauges = {
        "master/tasks_running": 2.0,
        "master/tasks_staging": 0.0,
        "allocator/mesos/allocation_run_ms": 1.5,
        "allocator/mesos/allocation_run_ms/p50": 0.25,
        "master/frameworks/a%22b%5Cc%0Ad/M-0/subscribed": 0.5,
    }
    text = prometheus.render(gauges, {"master/tasks_finished": 7.0}, "mesos").decode()
    assert text.splitlines() == [
        "# TYPE mesos_allocator_mesos_allocation_run_ms summary",
        'mesos_allocator_mesos_allocation_run_ms{quantile="0.5"} 0.25',
        "# TYPE mesos_master_framework_subscribed gauge",
        'mesos_master_framework_subscribed{framework="a\\"b\\\\c\\nd",framework_id="M-0"} 0.5',
        "# TYPE mesos_master_tasks gauge",
        'mesos_master_tasks{state="running"} 2',
        'mesos_master_tasks{state="staging"} 0',
        "# TYPE mesos_master_tasks_ended_total counter",
        'mesos_master_tasks_ended_total{state="finished"} 7',
    ]
