"""Values around the edges of every rule, by field. Which are taken is for model and API server to say, alike."""

from __future__ import annotations

from typing import Any

from tests.integration.api.manifests import CONTROL, SUCCESS, TREATMENT

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
    "policy": [{}, {"unprovenSlice": "5%"}, {"approvals": 1}],
    "policy.stableFloor": SHARES,
    "policy.maxExperimentSlice": SHARES,
    "policy.unprovenSlice": SHARES,
    "policy.coolDown": DURATIONS,
    "policy.shipValidity": POSITIVE,
    "policy.retention": POSITIVE,
    "policy.gates": [{}, {"experiment": "Required"}, {"owner": "Required"}],
    "policy.gates.experiment": ["Required", "NotRequired", "required", True],
    "policy.gates.approvals": NUMBERS,
    "policy.reviews": [{}, {"approvals": 2, "ownApproval": "Counts"}, {"quorum": 2}],
    "policy.reviews.approvals": NUMBERS,
    "policy.reviews.ownApproval": ["Counts", "DoesNotCount", False],
    "policy.reviews.overrideApprovals": NUMBERS,
    "policy.reviews.deliberation": DURATIONS,
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
    "gates": [
        *([], [{}], {}, [{"experiment": "a", "approvals": 1}], [{"approvals": 1}, {"experiment": "a"}]),
        [{"owner": "a"}],
        *([{"experiment": name}] for name in NAMES),
        *([{"approvals": number}] for number in NUMBERS),
        *([{"approvals": 1}] * number for number in (10, 11)),
    ],
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
    "growsWithTime": SWITCHES,
    "mock": [{}, {"requestsPerMinute": 5}, {"values": [{"arm": "a", "value": "2%"}]}, {"values": [], "noise": 1}],
    "mock.requestsPerMinute": [*NUMBERS, 10**6, 10**6 + 1],
    "mock.values": [
        *([], [{"arm": "a"}], [{"value": "2%"}], [{"arm": "a", "value": "1"}] * 2, "2%"),
        *([{"arm": name, "value": "1"}] for name in (*NAMES, "a" * 20, "a" * 21)),
        *([{"arm": "a", "value": amount}] for amount in AMOUNTS),
        *([{"arm": f"a{n}", "value": "1"} for n in range(number)] for number in (5, 6)),
    ],
    "query": ["a"],
}

SENTENCES = ["Plays rise.", "", " ", "\n\t", "two\nlines", " ä", "\u00a0", "a" * 1024, "a" * 1025, 7]
ARM_NAMES = [*NAMES, "a" * 20, "a" * 21]
TWIN = {"name": "twin", "role": "Treatment", "revision": "Stable"}
GUARDRAIL = {"metric": "errors", "role": "Guardrail", "margin": {"absolute": "0.5%"}}
DETERIORATION = {"metric": "latency", "role": "Deterioration"}
EXCLUSION = {"from": "2027-01-01T00:00:00Z", "to": "2027-01-01T01:00:00Z", "reason": "INC-1"}
CHOICE = {"action": "Ship", "by": "ana", "rationale": "It is better."}


def _arms(number: int) -> list[dict[str, Any]]:
    return [CONTROL, *(TREATMENT | {"name": f"t{n}"} for n in range(number - 1))]


EXPERIMENT: dict[str, list[Any]] = {
    "endpoint": [*NAMES, None],
    "owner": [*LINES, None],
    "decisionMaker": [*LINES, None],
    "type": ["AB", "AA", "ABC", "ab"],
    "desiredState": ["Draft", "Running", "Stopped", "Archived", "Decided", ""],
    "run": [*NUMBERS, 10_000, 10_001],
    "dryRun": SWITCHES,
    "design": [{}, None],
    "design.hypothesis": [*SENTENCES, None],
    "design.slice": [*SHARES, None],
    "design.arms": [
        *([], [CONTROL], [CONTROL, CONTROL], [TREATMENT, TWIN], [CONTROL, TWIN], [CONTROL, TREATMENT, TWIN], None),
        *(_arms(number) for number in (4, 5, 6)),
        *([CONTROL, TREATMENT, TREATMENT], [CONTROL, TWIN | {"role": "Control"}], [CONTROL, TWIN | {"role": "Twin"}]),
        *([CONTROL, TWIN | {"name": name}] for name in ARM_NAMES),
        *([CONTROL, TWIN | {"weight": number}] for number in (*NUMBERS, 100, 101)),
        *([CONTROL, TWIN | {"replicas": number}] for number in NUMBERS),
        *([CONTROL, TREATMENT | {"revision": "Stable"}], [CONTROL, {"name": "a", "role": "Treatment"}]),
        *([CONTROL, TWIN | {"revision": name}] for name in ("stable", "abcdefghij", "")),
        *([CONTROL, TWIN | {"slice": "5%"}], [CONTROL, TREATMENT | {"template": {}}]),
    ],
    "design.metrics": [
        *([], [SUCCESS], [GUARDRAIL], [DETERIORATION], [SUCCESS, GUARDRAIL, DETERIORATION], [SUCCESS, SUCCESS], None),
        *([SUCCESS, DETERIORATION | {"metric": f"plays@{'a' * 10}"}], [SUCCESS | {"metric": f"plays@{'a' * 10}"}]),
        *([{"metric": "a", "role": role}] for role in ("Success", "Guardrail", "Quality", "Health")),
        *([SUCCESS, {"metric": "a", "role": "Quality"} | extra] for extra in ({}, {"margin": {"relative": "1%"}})),
        *([SUCCESS | {"margin": {"relative": "1%"}}], [GUARDRAIL | {"mde": {"relative": "1%"}}]),
        *([SUCCESS, DETERIORATION | {extra: {"relative": "1%"}}] for extra in ("mde", "margin", "tolerance")),
        *([SUCCESS | {"mde": bound}] for bound in BOUNDS),
        *([GUARDRAIL | {"margin": {"absolute": amount}}] for amount in AMOUNTS),
        *([SUCCESS | {"metric": name}] for name in (*NAMES, f"a@{'b' * 9}", f"a@{'b' * 11}", "a@", f"a@b@{'c' * 10}")),
        *([SUCCESS, *(DETERIORATION | {"metric": f"m{n}"} for n in range(number))] for number in (19, 20)),
    ],
    "design.analysis": [{}, {"method": "Bandit"}, {"beta": "0.1"}],
    "design.analysis.method": ["FixedHorizon", "GroupSequential", "AlwaysValid", "Fixed"],
    "design.analysis.looks": [*NUMBERS, 50, 51],
    "design.analysis.spending": ["OBrienFleming", "Pocock", "Power", "HwangShihDeCani", "Haybittle"],
    "design.analysis.alpha": DECIMALS,
    "design.analysis.alphaMinus": [*DECIMALS, "0.2", "0.199999", "0.05"],
    "design.analysis.power": [*DECIMALS, "0.99", "0.989999", "0.9"],
    "design.analysis.interval": POSITIVE,
    "design.analysis.prePeriod": DURATIONS,
    "design.analysis.maxFallbackRate": [*SHARES, "50%", "50.000001%"],
    "design.minRuntime": [*POSITIVE, "28d", "29d", "672h", "673h", "2419200s", "2419201s"],
    "design.maxRuntime": [*POSITIVE, "7d", "6d", "168h", "167h", "604800s", "604799s", "604800001ms"],
    "exclusions": [
        *([], [EXCLUSION], [EXCLUSION] * 50, [EXCLUSION] * 51, [EXCLUSION | {"arm": "treatment"}], [{}]),
        *([EXCLUSION | {"to": moment}] for moment in TIMES),
        *([EXCLUSION | {"reason": text}] for text in SENTENCES),
    ],
    "decision": [
        *({}, CHOICE, CHOICE | {"action": "Extend"}, CHOICE | {"at": "now"}),
        *(CHOICE | {"by": name} for name in LINES),
        *(CHOICE | {"rationale": text} for text in SENTENCES),
        *(CHOICE | {"treatment": name} for name in ARM_NAMES),
        *(CHOICE | {"lane": lane} for lane in ("Regular", "Emergency", "Fast")),
    ],
    "arms": [[]],
}

DIGESTS = ["sha256:00", "", "a" * 128, "a" * 129, 1]
REVISIONS = ["a" * 10, "a" * 9, "a" * 11, "A" * 10, ""]
WORDS = ["StepComplete", "", "two words", "a-b", "1a", "a" * 63, "a" * 64, "ä"]
SHORT = ["", "a b", "a" * 253, "a" * 254, 1]
FIGURES = ["1", "-1.5e-3", "1.", "one", "", "1" * 32, "1" * 33, 1]
FINDING = {"name": "latency", "role": "Guardrail", "verdict": "NonInferior"}
REVIEWED = {"name": "ranker-1", "reviewer": "ana", "verdict": "Dissent"}

DECISION: dict[str, list[Any]] = {
    "subject": [{}, {"kind": "Metric", "name": "a", "uid": "b"}, None],
    "subject.kind": ["ModelRollout", "Experiment", "Decision", "ModelEndpoint"],
    "subject.name": SHORT,
    "subject.revision": REVISIONS,
    "subject.modelDigest": DIGESTS,
    "subject.attempt": [*NUMBERS, 2**40],
    "endpoint": NAMES,
    "owner": SHORT,
    "action": ["Start", "Promote", "Ship", "Invalidate", "Hold", None],
    "recommendation": ["Hold", "Discuss", "Start"],
    "basis": ["Human", "Waived", "Emergency", "Habit", None],
    "actor": [*SHORT, None],
    "rule": [*SHORT, None],
    "reason": [*WORDS, None],
    "message": ["", "a" * 1024, 1],
    "at": ["2026-11-25T12:00:00Z", "2026-11-25", "", None],
    "retainUntil": ["2026-11-25T12:00:00.5+01:00", "later", None],
    "step": NUMBERS,
    "outcome": ["Win", "RegressionFound", "Success"],
    "designHash": DIGESTS,
    "evidence": [{}, {"digest": "a"}, {"digest": "a", "locator": "b"}, {"digest": "a", "locator": "b", "url": "c"}],
    "results": [
        *([], [FINDING], [FINDING] * 60, [FINDING] * 61, [FINDING | {"p": "0.5"}], [{}]),
        *([FINDING | {"estimate": figure}] for figure in FIGURES),
        *([FINDING | {"role": word}] for word in WORDS),
    ],
    "checks": [[], [{"name": "a", "passed": True}], [{"name": "a", "passed": "yes"}], [{"name": "a"}]],
    "reviews": [[REVIEWED], [REVIEWED] * 50, [REVIEWED] * 51, [REVIEWED | {"weight": 1}]],
    "previousRoute": [{}, {"generation": 1, "digest": "a"}, {"generation": -1, "digest": "a"}],
    "approved": [True],
}

REVIEW: dict[str, list[Any]] = {
    "subject": [{}, {"kind": "Decision", "name": "a"}, {"kind": "Metric", "name": "a"}, None],
    "subject.kind": ["ModelRollout", "Experiment", "Decision", "ModelEndpoint", None],
    "subject.name": [*SHORT, None],
    "subject.revision": SHORT,
    "subject.design": DIGESTS,
    "verdict": ["Approve", "RequestChanges", "Dissent", "Comment", "Reject", None],
    "reviewer": [*LINES, None],
    "reason": [*SENTENCES, None],
    "action": ["Ship", "Promote", "Extend", None],
    "approvedBy": ["ana"],
}
