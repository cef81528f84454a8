"""Numbers in Prometheus's text format (exposition format 0.0.4).

Mesos names its metrics by paths in which ids, roles and states are parts of the name
(`master/frameworks/<name>/<id>/calls/kill`). `RULES` say which parts are labels; every other path
becomes a name by its letters. Counters end in `_total`, as the format's conventions want; Mesos's
own `…_total`, which are sizes, become labels.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[str, dict[str, str], float]

_QUANTILES = {
    "p25": "0.25",
    "p50": "0.5",
    "p75": "0.75",
    "p90": "0.9",
    "p95": "0.95",
    "p99": "0.99",
    "p999": "0.999",
    "p9999": "0.9999",
}
_OF_RESOURCE = r"(?P<part>master|slave)/(?P<resource>cpus|mem|disk|gpus)(?P<revocable>_revocable)?"
_FRAMEWORK = r"master/frameworks/(?P<framework>[^/]*)/(?P<framework_id>[^/]+)"
_ENDED = "finished|failed|killed|lost|error|dropped|gone|gone_by_operator"

RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (rf"{_OF_RESOURCE}_total", "{part}_resource_size"),
        (rf"{_OF_RESOURCE}_used", "{part}_resource_used"),
        (rf"{_OF_RESOURCE}_percent", "{part}_resource_used_ratio"),
        (rf"(?P<part>master|slave)/tasks_(?P<state>{_ENDED})", "{part}_tasks_ended"),
        (r"(?P<part>master|slave)/tasks_(?P<state>[a-z]+)", "{part}_tasks"),
        (
            r"master/task_(?P<state>\w+)/source_(?P<source>\w+)/reason_(?P<reason>\w+)",
            "master_task_reasons",
        ),
        (r"master/slaves_(?P<state>\w+)", "master_agents"),
        (r"master/frameworks_(?P<state>\w+)", "master_frameworks"),
        (r"master/messages_(?P<message>\w+)", "master_messages"),
        (r"master/dropped_calls/(?P<call>\w+)", "master_dropped_calls"),
        (r"master/slave_removals/reason_(?P<reason>\w+)", "master_slave_removals_by_reason"),
        (rf"{_FRAMEWORK}/subscribed", "master_framework_subscribed"),
        (rf"{_FRAMEWORK}/roles/(?P<role>.+)/suppressed", "master_framework_role_suppressed"),
        (rf"{_FRAMEWORK}/tasks/active/(?P<state>\w+)", "master_framework_tasks"),
        (rf"{_FRAMEWORK}/tasks/terminal/(?P<state>\w+)", "master_framework_tasks_ended"),
        (
            rf"{_FRAMEWORK}/(?P<what>calls|events|offers|operations)/(?P<type>\w+)",
            "master_framework_{what}",
        ),
        (
            r"containers/(?P<framework_id>[^/]*)/(?P<executor_id>[^/]*)/(?P<container_id>[^/]+)"
            r"/(?P<what>\w+)",
            "container_{what}",
        ),
        (rf"{_FRAMEWORK}/(calls|events|operations)", ""),  # the sum of those by type
        (
            r"allocator/mesos/roles/(?P<role>.+)/shares/dominant",
            "allocator_role_dominant_share",
        ),
        (
            r"allocator/mesos/resources/(?P<resource>\w+)/total",
            "allocator_resource_size",
        ),
        (
            r"allocator/mesos/resources/(?P<resource>\w+)/(?P<kind>offered_or_allocated)",
            "allocator_resource_{kind}",
        ),
        (
            r"allocator/mesos/(?P<what>quota|offer_filters)/roles/(?P<role>.+?)"
            r"(/resources/(?P<resource>\w+))?/(?P<kind>\w+)",
            "allocator_{what}_{kind}",
        ),
    )
)

_OTHER = re.compile(r"[^a-zA-Z0-9_]+")


def sample(name: str, value: float) -> Sample | None:
    """Return a Mesos metric's name and labels; None for one that others add up to."""
    base, _, last = name.rpartition("/")
    if last in _QUANTILES and base:
        found = sample(base, value)
        return (
            None if found is None else (found[0], {**found[1], "quantile": _QUANTILES[last]}, value)
        )
    for pattern, target in RULES:
        match = pattern.fullmatch(name)
        if match is None:
            continue
        fields = {k: v for k, v in match.groupdict().items() if v is not None}
        used = set(re.findall(r"\{(\w+)\}", target))
        labels = {k: unquote(v) for k, v in fields.items() if k not in used}
        if "revocable" in labels:
            labels["revocable"] = "true"
        return (target.format(**fields), labels, value) if target else None
    if name.endswith("_ms/count"):
        name = f"{base}_samples"  # a summary's own `_count` would grow for ever, this does not
    return _OTHER.sub("_", name).strip("_"), {}, value


def render(gauges: Mapping[str, float], counters: Mapping[str, float], prefix: str) -> bytes:
    """Return metrics by Mesos's names as Prometheus's text; every name begins with `prefix`."""
    families: dict[str, tuple[str, list[Sample]]] = {}
    for kind, numbers in (("gauge", gauges), ("counter", counters)):
        for name, value in numbers.items():
            found = sample(name, value)
            if found is None:
                continue
            family = f"{prefix}_{found[0]}"
            if kind == "counter" and not family.endswith("_total"):
                family += "_total"
            _, held = families.setdefault(family, (kind, []))
            held.append((family, found[1], value))
    lines = []
    for family in sorted(families):
        kind, held = families[family]
        if any("quantile" in labels for _, labels, _ in held):
            kind = "summary"
            held = [each for each in held if "quantile" in each[1]]
        lines.append(f"# TYPE {family} {kind}")
        lines += _lines(held)
    return ("\n".join(lines) + "\n").encode()


def _lines(samples: Iterable[Sample]) -> list[str]:
    return [f"{family}{_labels(labels)} {_number(value)}" for family, labels, value in samples]


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
