"""The kinds as people meet them: through kubectl."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from crossfade_operator.api.crd import RESOURCES
from crossfade_operator.api.meta import Resource
from tests.integration.api.manifests import DECISION, ENDPOINT, EXPERIMENT, REVIEW, ROLLOUT, SPECS, with_values
from tests.integration.api.server import DEADLINE, Refused, Server, manifest

pytestmark = pytest.mark.integration

AT = "2026-11-22T21:30:00.000000Z"
BY_KIND = pytest.mark.parametrize("resource", RESOURCES, ids=[resource.kind for resource in RESOURCES])


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("mep", "The durable address of a model, independent of any version"),
        ("mep.spec.unit.header", "The request header that holds the user's id."),
        ("mep.spec.router.latencyBounds", "in ms or s, strictly increasing"),
        ("mep.spec.router.latencyBounds", "Defaults to [5ms, 10ms, 25ms, 50ms, 100ms, 250ms, 500ms, 1s, 2500ms]."),
        ("mep.spec.policy.stableFloor", "a multiple of 0.1%. Defaults to 5%."),
        ("mr.spec.strategy.steps", "Defaults to [{slice: 1%}, {slice: 10%, hold: 30m}, {slice: 50%, hold: 1h}]."),
        ("mr.spec.strategy.steps.hold", "counted from when every router runs it. Defaults to 10m."),
        ("mr.spec.strategy.steps", "slice <string> -required-"),
        ("mr.spec.strategy.analysis.onInconclusive", "ENUM: Hold Rollback"),
        ("mr.spec.strategy.analysis.metrics", "{metric: latency, role: Deterioration}]."),
        ("mr.spec.template.spec.containers.ports.name", '"http" is the one that is served'),
        ("mr.status.phase", "Where the rollout stands."),
        ("met.spec.prometheus.numerator", "Series selector of the counter that is divided"),
        ("met.spec.growsWithTime", "can only be judged once, at a fixed horizon. Defaults to false."),
        ("met.spec.mock.values", "Name of the arm; `control` stands for every arm that is not named."),
        ("mep.spec.policy.maxExperimentSlice", "all experiments together may hold. Defaults to 50%."),
        ("mep.spec.policy.reviews.overrideApprovals", "done against the recommendation. Defaults to 1."),
        ("mep.spec.policy.retention", "How long Decisions and Reviews must be kept. Defaults to 730d."),
        ("mr.spec.gates.experiment", "its decision must be Ship, for this very model, and not expired."),
        ("exp", "It ships nothing; it ends in a Decision."),
        ("exp.spec.design.analysis.method", "ENUM: FixedHorizon GroupSequential AlwaysValid"),
        ("exp.spec.design.metrics.mde", "the smallest effect worth finding."),
        ("exp.spec.decision.by", "The user name of whoever decides."),
        ("exp.status.recommendation", "What the rule recommends."),
        ("dec", "Immutable, and kept longer than what it is about."),
        ("dec.spec.evidence.digest", "Digest of the last entry of the evidence chain."),
        ("rev.spec.reviewer", "The reviewer's own user name; admission refuses another one."),
    ],
)
def test_explain_says_what_a_field_is_its_unit_and_its_default(server: Server, path: str, says: str) -> None:
    assert says in " ".join(server.kubectl("explain", path).split())


@BY_KIND
def test_explain_describes_each_part_of_a_kind(server: Server, resource: Resource) -> None:
    for path in ("", ".spec", *([".status"] if resource.status else [])):
        assert "<empty>" not in server.kubectl("explain", resource.plural + path)


@pytest.mark.parametrize(
    ("obj", "status", "columns", "row"),
    [
        (
            manifest("ModelEndpoint", ENDPOINT),
            {
                "stableRevision": "aaaaaaaaaa",
                "candidateRevision": "bbbbbbbbbb",
                "slice": "10%",
                "readyReplicas": 2,
                "route": {"generation": 12, "digest": "d", "decision": "d", "writtenAt": AT},
                "conditions": [{"type": "Ready", "status": "True", "reason": "Ok", "lastTransitionTime": AT}],
            },
            "NAME STABLE CANDIDATE SLICE ROUTERS GENERATION READY AGE",
            "ranker aaaaaaaaaa bbbbbbbbbb 10% 2 12 True",
        ),
        (
            manifest("ModelRollout", ROLLOUT),
            {
                "phase": "Holding",
                "step": 2,
                "slice": "10%",
                "revision": "bbbbbbbbbb",
                "verdict": "Undecided",
                "reason": "InsufficientData",
            },
            "NAME PHASE STEP SLICE REVISION VERDICT REASON AGE",
            "ranker Holding 2 10% bbbbbbbbbb Undecided InsufficientData",
        ),
        (
            manifest("Metric", SPECS["Metric"]),
            {
                "conditions": [
                    {"type": "Ready", "status": "False", "reason": "ContractBroken", "lastTransitionTime": AT}
                ]
            },
            "NAME TYPE DIRECTION READY REASON AGE",
            "ranker Count LowerIsBetter False ContractBroken",
        ),
        (
            manifest("Experiment", EXPERIMENT),
            {
                "phase": "Running",
                "slice": "20%",
                "look": 2,
                "progress": "40%",
                "recommendation": "Hold",
                "reason": "NextLook",
            },
            "NAME PHASE SLICE LOOK PROGRESS RECOMMENDATION REASON AGE",
            "ranker Running 20% 2 40% Hold NextLook",
        ),
        (
            manifest("Decision", DECISION | {"recommendation": "Advance"}),
            None,
            "NAME SUBJECT ACTION RECOMMENDATION BASIS ACTOR REASON AGE",
            "ranker ranker Advance Advance Evidence rollout@1 StepComplete",
        ),
        (
            manifest("Review", REVIEW | {"verdict": "Dissent", "reason": "Novelty."}),
            None,
            "NAME KIND SUBJECT VERDICT REVIEWER REASON AGE",
            "ranker Experiment new-ranker Dissent ana@example.com Novelty.",
        ),
    ],
    ids=["ModelEndpoint", "ModelRollout", "Metric", "Experiment", "Decision", "Review"],
)
def test_a_list_shows_what_matters(
    server: Server, obj: dict[str, Any], status: dict[str, Any] | None, columns: str, row: str
) -> None:
    stored = server.create(obj, keep=True)
    if status is not None:
        server.set_status(stored, status)
    header, line = server.kubectl("get", obj["kind"].lower()).splitlines()
    assert header.split() == columns.split()
    assert line.split()[:-1] == row.split()


@BY_KIND
def test_short_names_and_the_category_find_a_kind(server: Server, resource: Resource) -> None:
    server.create(manifest(resource.kind, SPECS[resource.kind]), keep=True)
    found = f"{resource.kind.lower()}.crossfade.dev/ranker"
    assert server.kubectl("get", resource.short_name, "-o", "name").split() == [found]
    assert found in server.kubectl("get", "crossfade", "-o", "name").split()


@pytest.mark.parametrize("condition", ["Ready", "Progressing", "Promoted", "RolledBack", "Paused"])
def test_wait_ends_when_a_condition_becomes_true(server: Server, condition: str) -> None:
    stored = server.create(manifest("ModelRollout", ROLLOUT), keep=True)

    def tell(status: str) -> None:
        entry = {"type": condition, "status": status, "reason": "Because", "lastTransitionTime": AT}
        server.set_status(stored, {"conditions": [entry | {"observedGeneration": 1}]})

    tell("Unknown")
    until = f"--for=condition={condition}"
    with pytest.raises(Refused, match="condition not met"):
        server.kubectl("wait", "mr/ranker", until, "--timeout=0s")
    waiting = subprocess.Popen(
        server.argv("wait", "mr/ranker", until, f"--timeout={DEADLINE:.0f}s"), stdout=subprocess.PIPE, text=True
    )
    tell("True")
    output, _ = waiting.communicate(timeout=DEADLINE + 5)
    assert (waiting.returncode, output.strip()) == (0, "modelrollout.crossfade.dev/ranker condition met")


@pytest.mark.parametrize(
    ("obj", "selector"),
    [
        (manifest("ModelEndpoint", ENDPOINT), "crossfade.dev/endpoint=ranker,crossfade.dev/component=router"),
        (manifest("ModelRollout", ROLLOUT), "crossfade.dev/rollout=ranker"),
    ],
    ids=["ModelEndpoint", "ModelRollout"],
)
def test_pods_are_scaled_like_a_deployments(server: Server, obj: dict[str, Any], selector: str) -> None:
    stored = server.create(obj, keep=True)
    server.set_status(stored, {"replicas": 2, "selector": selector})
    name = f"{obj['kind'].lower()}/ranker"
    server.kubectl("scale", name, "--replicas=5")
    scale = yaml.safe_load(server.kubectl("get", name, "--subresource=scale", "-o", "yaml"))
    assert (scale["spec"]["replicas"], scale["status"]) == (5, {"replicas": 2, "selector": selector})
    spec = server.get(stored)["spec"]
    assert (spec.get("replicas") or spec["router"]["replicas"]) == 5


def test_scaling_out_of_bounds_is_refused(server: Server) -> None:
    server.create(manifest("ModelEndpoint", ENDPOINT), keep=True)
    with pytest.raises(Refused, match="greater than or equal to 1"):
        server.kubectl("scale", "mep/ranker", "--replicas=0")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("ModelRollout", "endpoint", "other"),
        ("Experiment", "endpoint", "other"),
        ("Experiment", "owner", "team-search"),
        ("Decision", "action", "Rollback"),
        ("Decision", "subject.name", "other"),
        ("Decision", "subject.modelDigest", "sha256:00"),
        ("Review", "subject.name", "other"),
        ("Review", "reviewer", "bob"),
    ],
)
def test_objects_are_found_by_field(server: Server, kind: str, field: str, value: str) -> None:
    server.create(manifest(kind, SPECS[kind], "one"), keep=True)
    server.create(manifest(kind, with_values(SPECS[kind], {field: value}), "two"), keep=True)
    found = server.kubectl("get", kind, f"--field-selector=spec.{field}={value}", "-o", "name")
    assert found.split() == [f"{kind.lower()}.crossfade.dev/two"]


@pytest.mark.parametrize("how", [("create",), ("apply",), ("apply", "--server-side")], ids=" ".join)
def test_kubectl_refuses_a_field_that_we_do_not_know(server: Server, how: tuple[str, ...]) -> None:
    misspelt = yaml.safe_dump(manifest("ModelEndpoint", ENDPOINT | {"sallt": "a"}))
    with pytest.raises(Refused, match=r"sallt"):
        server.kubectl(*how, "-f", "-", text=misspelt)


def test_kubectl_keeps_what_it_does_not_know_of_a_pod(server: Server) -> None:
    container = ROLLOUT["template"]["spec"]["containers"][0] | {"resizePolicy": [{"resourceName": "cpu"}]}
    template = {"spec": {"containers": [container], "hostUsers": False}}
    server.kubectl("apply", "-f", "-", text=yaml.safe_dump(manifest("ModelRollout", ROLLOUT | {"template": template})))
    assert server.get(manifest("ModelRollout", ROLLOUT))["spec"]["template"] == template


def test_the_same_manifest_again_changes_nothing(server: Server) -> None:
    text = yaml.safe_dump(manifest("ModelRollout", ROLLOUT))
    for verb in ("created", "unchanged"):
        assert verb in server.kubectl("apply", "-f", "-", text=text)
    assert server.get(manifest("ModelRollout", ROLLOUT))["metadata"]["generation"] == 1
