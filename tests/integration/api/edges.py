"""Values around the edges of every rule, by field. Which are taken is for model and API server to say, alike."""

from __future__ import annotations

from typing import Any

DURATIONS = ["0s", "1ms", "999999d", "1000000s", "-3s", "1.5h", "1h30m", "010m", "10", "", "1h ", "1h\n", 10, None]
POSITIVE = [*DURATIONS, "5s", "4999ms", "1h", "61m", "60m", "1d", "1w", "00s"]
SHARES = [
    "0%",
    "0.0%",
    "0.1%",
    "0.05%",
    "10.00%",
    "10.05%",
    "95%",
    "95.000001%",
    "100%",
    "100.0%",
    "100.1%",
    "5",
    "-1%",
]
SHARES += ["05%", "1e1%", "5 %", "", "٥%", 5]
NAMES = ["a-b", "-a", "a-", "1a", "A", "a.b", "a_b", "a" * 40, "a" * 41, "a" * 63, "a" * 64, ""]
LINES = ["team ä", "", " ", "a ", " a", "a\nb", "a\tb", "a\n", "\u00a0a", "\x0b", "a" * 253, "a" * 254, 7]
HEADERS = ["X-Arm", "x-abucket", "x-crossfade-x", "X-ENVOY-y", "x-arms", "x-crossfades", "a b", "", "-a", "ä", "a" * 64]
HEADERS += ["a" * 65, "x-envoy-", "x.y", "_x"]
NUMBERS = [0, -1, 1, 10, 11, 20, 21, 1000, 1001, 10**9, 10**9 + 1, "3", True, 1.5]
SWITCHES = [True, False, "true", 1, 0]
DECIMALS = ["0.5", "0", "1", "0.0", "0.000001", "0.0000001", ".5", "5%", "1.0", "-0.1", "0.5\n", "", 0.5]
AMOUNTS = [*SHARES, *DECIMALS, "250", "00", "1e3", "999999999", "1000000000", "0.000000001", "1.0000000001"]
BOUNDS = [{}, {"relative": "1%", "absolute": "1%"}, {"relative": None}]
HTTP, GRPC = {"name": "http", "containerPort": 8080}, {"name": "grpc", "containerPort": 8081}
TIMES = ["2027-02-29T00:00:00Z", "2028-02-29T23:59:59.5+01:00", "2027-01-01", "2027-01-01 00:00:00Z", 0]
TIMES += ["2027-01-01T24:00:00Z", "2027-01-01T23:59:60Z", "2027-01-01T00:00Z", "2027-01-01T00:00:00", "", "now"]
TIMES += ["2027-01-01T00:00:00+15:00", "0027-01-01T00:00:00Z", "2027-13-01T00:00:00Z", "2027-01-01T00:00:00z"]


def _container(*ports: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "model", "ports": list(ports), **fields}


def _slices(*shares: str, mirrors: int = 0) -> list[dict[str, Any]]:
    return [{"slice": share, "mirror": index < mirrors} for index, share in enumerate(shares)]


ENDPOINT: dict[str, list[Any]] = {
    "owner": LINES,
    "unit": [{}, {"cookie": "uid"}, {"header": "a", "cookie": "b"}, {"query": "a"}, None],
    "unit.header": HEADERS,
    "salt": ["a.b_c-1", "", "a b", "ä", "a\n", "a" * 64, "a" * 65, 1],
    "router": [{}, [], "Envoy"],
    "router.type": ["Envoy", "Nginx", "envoy", ""],
    "router.replicas": NUMBERS,
    "router.image": ["r/i:1@sha256:00", "a b", "", "\u3000", "a\x0bb", "a" * 512, "a" * 513],
    "router.resources": [{}, {"limits": {"cpu": 1}}, []],
    "router.latencyBounds": [
        *(
            [],
            ["5ms"],
            ["5ms", "10ms"],
            ["10ms", "5ms"],
            ["1s", "1000ms"],
            ["999ms", "1s"],
            ["0s"],
            ["1m"],
            ["5ms", "x"],
        ),
        *(
            ["1ms"] * 2,
            [f"{n}ms" for n in range(1, 13)],
            [f"{n}ms" for n in range(1, 14)],
            ["2s", "1s", "3s"],
            "5ms",
            [5],
        ),
    ],
    "router.requestTimeout": POSITIVE,
    "router.tryTimeout": [*POSITIVE, "60s", "60001ms"],
    "router.healthPath": ["/", "/a?b=c#d", "a", "/ä", "/a b", "", "/" + "a" * 255, "/" + "a" * 256],
    "router.rewardHeader": HEADERS,
    "router.testers": ["Enabled", "Disabled", "yes", True],
    "holdout": [{}, {"slice": "1%"}, {"until": TIMES[0]}],
    "holdout.slice": SHARES,
    "holdout.until": TIMES,
    "policy": [{}, {"unprovenSlice": "5%"}],
    "policy.stableFloor": SHARES,
    "gates": [{}],
}

ROLLOUT: dict[str, list[Any]] = {
    "endpoint": [*NAMES, None],
    "owner": LINES,
    "replicas": NUMBERS,
    "template": [{}, {"spec": {}}, None],
    "template.metadata": [{}, {"annotations": {"crossfade.dev/x": "y"}}, {"name": "x"}, "x"],
    "template.metadata.labels": [
        *({}, {"team": "a" * 63}, {"team": "a" * 64}, {"team": ""}, {"team": 1}, {"crossfade.dev/arm": "x"}),
        *({"crossfade.dev": "x"}, {"crossfade.development/x": "y"}, {"app.kubernetes.io/managed-by": "crossfade"}),
        *({f"l{n}": "x" for n in range(64)}, {f"l{n}": "x" for n in range(65)}),
    ],
    "template.spec.containers": [
        *([], [_container()], [{"name": "model"}], [_container(HTTP, HTTP)], [_container(HTTP, GRPC)]),
        *([_container(HTTP), _container(GRPC)], [_container(HTTP), _container(GRPC, name="other")]),
        *([_container(HTTP, GRPC, GRPC)], [_container({"name": "http"})], [_container({"containerPort": 80}, HTTP)]),
        *([_container(HTTP | {"containerPort": port})] for port in (0, 1, 65535, 65536, "http", 80.5)),
        *([_container(HTTP, {"name": name, "containerPort": 80})] for name in ("a" * 15, "a" * 16, 1)),
        *([_container(HTTP, name=name)] for name in ("", "a" * 63, "a" * 64, 1)),
        [_container(HTTP, image="m:1", env=[{"name": "A", "value": ""}], resources=None, surplus={"x": [1]})],
        [_container(HTTP, *({"containerPort": 1000 + n} for n in range(19)))],
        [_container(HTTP, *({"containerPort": 1000 + n} for n in range(20)))],
        [_container(HTTP), *(_container(name=f"c{n}") for n in range(20))],
    ],
    "strategy": [{}, [], {"canary": {}}],
    "strategy.steps": [
        *([], _slices("1%"), _slices("10%", "1%"), _slices("1%", "1%"), _slices("1%", "1.0%"), _slices("9.9%", "10%")),
        *(_slices("9%", "10%", "9%"), _slices("50%", "1%", mirrors=1), _slices("1%", mirrors=1), _slices("50", "1%")),
        *(
            _slices("5%", "5%", "1%", "2%", mirrors=2),
            [{"slice": "1%"}, {"slice": "5%", "mirror": True}, {"slice": "9%"}],
        ),
        *(
            _slices(*(f"{n}%" for n in range(1, 21))),
            _slices(*(f"{n}%" for n in range(1, 22))),
            [{"weight": 5}],
            ["1%"],
        ),
        *([{"slice": share}] for share in SHARES),
        *([{"slice": "1%", "hold": hold}] for hold in DURATIONS if hold is not None),
        *([{"slice": "1%", "minRequests": number}] for number in NUMBERS),
        *([{"slice": "1%", "approvals": number}] for number in NUMBERS),
        *([{"slice": "1%"}, {"slice": "2%", "mirror": switch}] for switch in SWITCHES),
    ],
    "strategy.analysis": [{}, {"baseline": "Dedicated"}],
    "strategy.analysis.interval": POSITIVE,
    "strategy.analysis.metrics": [
        *([], [{"metric": "latency"}], [{"role": "Deterioration"}], [{"metric": "latency", "role": "Success"}]),
        [{"metric": "latency", "role": "Guardrail"}],
        [{"metric": "latency", "role": "Deterioration"}] * 2,
        *([{"metric": f"m{n}", "role": "Deterioration"} for n in range(number)] for number in (20, 21)),
        *([{"metric": name, "role": "Deterioration"}] for name in NAMES),
        *([{"metric": "latency", "role": "Guardrail", "margin": bound}] for bound in BOUNDS),
        *([{"metric": "latency", "role": "Guardrail", "margin": {"absolute": amount}}] for amount in AMOUNTS),
        *([{"metric": "latency", "role": "Deterioration", "tolerance": {"relative": share}}] for share in SHARES),
        [{"metric": "latency", "role": "Deterioration", "margin": {"relative": "5%"}}],
    ],
    "strategy.analysis.alpha": DECIMALS,
    "strategy.analysis.beta": DECIMALS,
    "strategy.analysis.onInconclusive": ["Hold", "Rollback", "Promote", "hold"],
    "strategy.analysis.inconclusiveAfter": POSITIVE,
    "strategy.analysis.proveBefore": ["NextStep", "Promotion", "Never"],
    "strategy.analysis.warmup": DURATIONS,
    "progressDeadline": POSITIVE,
    "scaleDownDelay": DURATIONS,
    "rollbackWindow": DURATIONS,
    "paused": SWITCHES,
    "gates": [[]],
}

SELECTORS = ['a_total{x="y"}', 'a_total{x="}"}', "a:b", "{}", "a {}", "a{}  ", "rate(a[5m])", "a[5m]", "a\n{}", "a{\n}"]
SELECTORS += ["", "1a", "a{", "results_total", "a + b", "a" * 2048, "a" * 2049, 1, None]
LABELS = ["model_arm", "abucket", "_a", "__a", "_", "1a", "a-b", "ä", "", "arm\n", "a" * 128, "a" * 129]

METRIC: dict[str, list[Any]] = {
    "owner": LINES,
    "description": [*LINES, "a" * 1024, "a" * 1025],
    "type": ["Count", "Mean", "Gauge", None],
    "direction": ["HigherIsBetter", "LowerIsBetter", "Up"],
    "unit": ["ms", "two words", "", "a" * 32, "a" * 33, "a\n"],
    "prometheus": [{}, {"numerator": "a"}, {"numerator": "a", "denominator": "b", "url": "c"}, None],
    "prometheus.numerator": SELECTORS,
    "prometheus.denominator": SELECTORS,
    "labels": [{}, {"arm": "a", "bucket": "a"}, {"arm": "abucket"}, {"arm": "abucket", "bucket": "arm"}, {"le": "x"}],
    "labels.arm": LABELS,
    "labels.bucket": [*LABELS, "arm"],
    "freshness": POSITIVE,
    "query": ["a"],
}
