"""`charts/crossfade/dashboards/crossfade.json`: rollouts, experiments and decisions as Grafana shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

PATH = "charts/crossfade/dashboards/crossfade.json"

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH, _HEIGHT, _ACROSS = 12, 8, 24
_IN = 'namespace=~"$namespace"'
_ROUTED = 'model_endpoint=~"$namespace/$endpoint"'
_OF_ENDPOINT = f'{_IN},endpoint=~"$endpoint"'

Query = tuple[str, str]
"""PromQL, and what its series are called."""
Chart = tuple[str, str, tuple[Query, ...]]
"""Title, unit in Grafana's words, and what is drawn."""


def _rate(name: str, by: str, where: str = "") -> str:
    return f"sum by ({by}) (rate({name}{{{where}}}[$__rate_interval]))"


def _per_request(name: str) -> str:
    return f"{_rate(name, 'arm', _ROUTED)} / {_rate('envoy_crossfade_requests', 'arm', _ROUTED)}"


_USERS: tuple[Chart, ...] = (
    ("Share of the users by arm", "percentunit", ((f"crossfade_arm_slice_ratio{{{_OF_ENDPOINT}}}", "{{arm}}"),)),
    ("Requests per second by arm", "reqps", ((_rate("envoy_crossfade_requests", "arm", _ROUTED), "{{arm}}"),)),
    ("Errors by arm", "percentunit", ((_per_request("envoy_crossfade_errors"), "{{arm}}"),)),
    ("Mean latency by arm", "µs", ((_per_request("envoy_crossfade_latency_us"), "{{arm}}"),)),
)

_EACH = "{{rollout}} {{metric}}"
_ROLLOUTS: tuple[Chart, ...] = (
    ("Evidence of harm, log e", "none", ((f"crossfade_rollout_metric_log_e{{{_IN}}}", _EACH),)),
    (
        "Evidence of being within the margin, log e",
        "none",
        ((f"crossfade_rollout_metric_log_e_proof{{{_IN}}}", _EACH),),
    ),
    ("Phase and reason", "none", ((f"crossfade_rollout_phase{{{_IN}}}", "{{rollout}}: {{phase}} {{reason}}"),)),
    (
        "Decisions in an hour",
        "none",
        (
            (
                f"sum by (rollout, action) (increase(crossfade_rollout_decisions_total{{{_IN}}}[1h]))",
                "{{rollout}} {{action}}",
            ),
        ),
    ),
)

_FALSE = "crossfade_experiment_false_positive"
_EXPERIMENTS: tuple[Chart, ...] = (
    (
        "Planned information that is in",
        "percentunit",
        ((f"crossfade_experiment_progress_ratio{{{_IN}}}", "{{experiment}}"),),
    ),
    ("Phase and reason", "none", ((f"crossfade_experiment_phase{{{_IN}}}", "{{experiment}}: {{phase}} {{reason}}"),)),
    (
        "A/A: false positives, and how many there may be",
        "percentunit",
        (
            (f"{_FALSE}_ratio{{{_IN}}}", "{{experiment}}"),
            (f"{_FALSE}_nominal_ratio{{{_IN}}}", "{{experiment}}, nominal"),
        ),
    ),
    ("Runs that taught something, by owner", "percentunit", (("crossfade_programme_learning_ratio", "{{owner}}"),)),
)

_ITSELF: tuple[Chart, ...] = (
    (
        "Routers that run the newest table",
        "none",
        (
            (f"crossfade_routers_confirmed{{{_OF_ENDPOINT}}}", "{{endpoint}}: confirmed"),
            (f"crossfade_routers_ready{{{_OF_ENDPOINT}}}", "{{endpoint}}: ready"),
        ),
    ),
    (
        "Decisions that wait for their object: no share grows",
        "none",
        ((f"crossfade_rollout_decisions_pending{{{_IN}}}", "{{rollout}}"),),
    ),
    (
        "Reconciles by outcome",
        "ops",
        ((_rate("crossfade_reconciles_total", "controller, outcome"), "{{controller}} {{outcome}}"),),
    ),
    (
        "Requests to the analyzer by outcome",
        "ops",
        ((_rate("crossfade_analyzer_requests_total", "operation, outcome"), "{{operation}} {{outcome}}"),),
    ),
)

ROWS: tuple[tuple[str, tuple[Chart, ...]], ...] = (
    ("What users get", _USERS),
    ("Rollouts", _ROLLOUTS),
    ("Experiments", _EXPERIMENTS),
    ("Crossfade itself", _ITSELF),
)


def files() -> dict[str, str]:
    """The one dashboard."""
    return {PATH: json.dumps(_dashboard(), indent=2, ensure_ascii=False) + "\n"}


def _dashboard() -> dict[str, Any]:
    return {
        "uid": "crossfade",
        "title": "Crossfade",
        "tags": ["crossfade"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
                _choice("namespace", "label_values(crossfade_route_generation, namespace)"),
                _choice("endpoint", 'label_values(crossfade_route_generation{namespace=~"$namespace"}, endpoint)'),
            ]
        },
        "panels": _panels(),
    }


def _choice(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    y = 0
    for title, charts in ROWS:
        panels.append({"type": "row", "title": title, "gridPos": {"x": 0, "y": y, "w": _ACROSS, "h": 1}, "panels": []})
        y += 1
        for number, chart in enumerate(charts):
            at = {"x": number * _WIDTH % _ACROSS, "y": y + number * _WIDTH // _ACROSS * _HEIGHT}
            panels.append(_panel(*chart, {**at, "w": _WIDTH, "h": _HEIGHT}))
        y += -(-len(charts) * _WIDTH // _ACROSS) * _HEIGHT
    return [{"id": number, **panel} for number, panel in enumerate(panels, start=1)]


def _panel(title: str, unit: str, queries: Sequence[Query], place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
        for number, (expression, legend) in enumerate(queries)
    ]
    return {
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": targets,
    }
