"""What the admission policies say to people, and what becomes of records when a namespace or their kind is deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crossfade_operator.api.meta import API_VERSION
from dev.cluster.controlplane import ControlPlane
from dev.cluster.programs import Programs
from dev.cluster.waiting import NotYetError, wait_for
from dev.permissions.chart import Release
from dev.permissions.identities import ADMINISTRATORS
from tests.integration.api.manifests import DECISION, EXPERIMENT, REVIEW, ROLLOUT
from tests.integration.chart.attempts import MASTERS
from tests.integration.chart.conftest import Helm, run

pytestmark = pytest.mark.integration

RELEASE = Release("kept", "kept-system", ("serving.namespaces={shop,gone}", "prometheus.url=http://prometheus"))
ANA, BEN = "ana@example.com", "ben@example.com"
ABORT = {"action": "Abort", "by": ANA, "rationale": "It is worse."}
Kubectl = Callable[..., str]


class Refused(Exception):
    """What kubectl complained of."""


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """kubectl as somebody with all rights, so that only admission can refuse."""
    program = Programs.cached().path("kubectl")

    def call(*arguments: str, by: str = ANA, group: str = "system:authenticated", obj: Any = None) -> str:
        person = ("--as", by, "--as-group", MASTERS, "--as-group", group)
        argv = [str(program), f"--kubeconfig={control_plane.kubeconfig}", *arguments, *person]
        done = run(argv, "" if obj is None else json.dumps(obj))
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout

    return call


@pytest.fixture(scope="module", autouse=True)
def installed(helm: Helm, kubectl: Kubectl) -> Iterator[None]:
    for namespace in (RELEASE.namespace, "shop", "gone", "elsewhere"):
        kubectl("create", "namespace", namespace)
    helm("install", *RELEASE.arguments())
    wait_for("the policies to be in force", lambda: _in_force(kubectl), timeout=60, interval=0.5)
    yield
    helm("uninstall", RELEASE.name, "--namespace", RELEASE.namespace)
    kubectl("delete", "namespace", RELEASE.namespace, "shop", "elsewhere", "--wait=false")


def _in_force(kubectl: Kubectl) -> None:
    tried = {"a review": (_create, _review(BEN)), "a decision": (_create, _object("Decision", DECISION))}
    tried["a promotion"] = (_create, _object("ModelRollout", ROLLOUT, annotations={"crossfade.dev/promote": "t"}))
    tried["a choice"] = (_create, _object("Experiment", {**EXPERIMENT, "decision": {**ABORT, "by": BEN}}))
    for what, (create, obj) in tried.items():
        try:
            create(kubectl, obj, dry=True)
        except Refused:
            continue
        raise NotYetError(f"{what} is not refused")


def _object(kind: str, spec: Any, name: str = "ranker", namespace: str = "shop", **metadata: Any) -> Any:
    head = {"name": name, "namespace": namespace, **metadata}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": head, "spec": spec}


def _review(reviewer: str, **options: Any) -> Any:
    return _object("Review", {**REVIEW, "reviewer": reviewer}, **options)


def _create(kubectl: Kubectl, obj: Any, *, dry: bool = False, **options: Any) -> str:
    return kubectl("create", "-f", "-", *(["--dry-run=server"] if dry else []), obj=obj, **options)


def test_nobody_reviews_in_the_name_of_another(kubectl: Kubectl) -> None:
    with pytest.raises(Refused, match=f"spec.reviewer must be your own user name, {ANA}: nobody reviews in the name"):
        _create(kubectl, _review(BEN), dry=True)
    _create(kubectl, _review(ANA), dry=True)


def test_nobody_decides_in_the_name_of_another(kubectl: Kubectl) -> None:
    with pytest.raises(Refused, match=f"spec.decision.by must be your own user name, {BEN}"):
        _create(kubectl, _object("Experiment", {**EXPERIMENT, "decision": ABORT}), dry=True, by=BEN)
    _create(kubectl, _object("Experiment", {**EXPERIMENT, "decision": ABORT}), by=ANA)
    other = json.dumps({"spec": {"decision": {"rationale": "It is worse, and slower."}}})
    with pytest.raises(Refused, match=r"spec.decision.by must be your own"):
        kubectl("patch", "exp/ranker", "-n", "shop", "--type=merge", "-p", other, by=BEN)
    kubectl("label", "exp/ranker", "-n", "shop", "seen=yes", by=BEN)
    kubectl("patch", "exp/ranker", "-n", "shop", "--type=merge", "-p", '{"spec": {"owner": "team-search"}}', by=BEN)


def test_nobody_makes_themselves_the_decision_maker(kubectl: Kubectl) -> None:
    _create(kubectl, _object("Experiment", EXPERIMENT, name="taken"))

    def patch(change: Any, by: str, *more: str, **options: Any) -> None:
        kubectl("patch", "exp/taken", "-n", "shop", "--type=merge", "-p", json.dumps(change), *more, by=by, **options)

    patch({"spec": {"owner": "team-search"}}, BEN)
    patch({"status": {"phase": "Stopped", "run": 1}}, "root", "--subresource=status", group=MASTERS)
    for field in ("owner", "decisionMaker"):
        with pytest.raises(Refused, match=f"are changed by its decision maker, {ANA}, or by a member of the group"):
            patch({"spec": {field: BEN}}, BEN)
    patch({"spec": {"decisionMaker": BEN}}, ANA)
    patch({"spec": {"owner": "team-ranking"}}, BEN)
    patch({"spec": {"decisionMaker": ANA}}, "carol", group=ADMINISTRATORS)


def test_whoever_asks_for_a_promotion_says_so(kubectl: Kubectl) -> None:
    _create(kubectl, _object("ModelRollout", ROLLOUT))

    def annotate(*annotations: str, by: str) -> str:
        named = [f"crossfade.dev/{annotation}" for annotation in annotations]
        return kubectl("annotate", "mr/ranker", "-n", "shop", "--overwrite", *named, by=by)

    with pytest.raises(Refused, match=f"set the annotation crossfade.dev/requested-by to your own user name, {ANA}"):
        annotate("promote=t1", by=ANA)
    annotate("promote=t1", f"requested-by={ANA}", "rationale=It is better.", by=ANA)
    for forged in (["promote=t2"], ["rationale=Because I say so."], ["requested-by-"], [f"requested-by={ANA}x"]):
        with pytest.raises(Refused, match="your own user name"):
            annotate(*forged, by=BEN)
    annotate("abort=t3", by=BEN)
    annotate("retry=t3", by=BEN)
    annotate("promote=t2", f"requested-by={BEN}", by=BEN)
    annotate("promote-", "requested-by-", "rationale-", by=ANA)


def test_nobody_aborts_in_the_name_of_another_and_nobody_has_to_sign(kubectl: Kubectl) -> None:
    _create(kubectl, _object("ModelRollout", ROLLOUT, name="signed"))

    def annotate(*annotations: str, by: str) -> str:
        named = [f"crossfade.dev/{annotation}" for annotation in annotations]
        return kubectl("annotate", "mr/signed", "-n", "shop", "--overwrite", *named, by=by)

    with pytest.raises(Refused, match=f'abort-by is signed with your own user name, "t1 {BEN}", or left out'):
        annotate("abort=t1", f"abort-by=t1 {ANA}", by=BEN)
    annotate("abort=t1", f"abort-by=t1 {ANA}", by=ANA)
    kubectl("label", "mr/signed", "-n", "shop", "seen=yes", by=BEN)
    annotate("abort=t2", by=BEN)  # ana's signature is of t1, and says nothing about this
    with pytest.raises(Refused, match="nobody asks in the name of another"):
        annotate("abort=t1", by=BEN)
    with pytest.raises(Refused, match="retry-by is signed with your own"):
        annotate("retry=t3", f"retry-by=t3 {ANA}", by=BEN)


def test_nobody_starts_or_stops_in_the_name_of_another_and_nobody_has_to_sign(kubectl: Kubectl) -> None:
    _create(kubectl, _object("Experiment", EXPERIMENT, name="signed"))

    def patch(state: str, signature: str | None, by: str) -> None:
        change = {"metadata": {"annotations": {"crossfade.dev/state-by": signature}} if signature else {}}
        body = json.dumps({**change, "spec": {"desiredState": state}})
        kubectl("patch", "exp/signed", "-n", "shop", "--type=merge", "-p", body, by=by)

    with pytest.raises(Refused, match=f'state-by is signed with your own user name, "1/Running {BEN}", or left out'):
        patch("Running", f"1/Running {ANA}", BEN)
    patch("Running", f"1/Running {ANA}", ANA)
    patch("Stopped", None, BEN)
    with pytest.raises(Refused, match="nobody asks in the name of another"):
        patch("Running", None, BEN)


def test_of_an_experiment_the_learning_controller_changes_its_finalizer_alone(kubectl: Kubectl) -> None:
    _create(kubectl, _object("Experiment", EXPERIMENT, name="held"))

    def patch(change: Any) -> None:
        kubectl(
            "patch", "exp/held", "-n", "shop", "--type=merge", "-p", json.dumps(change), by=RELEASE.account("learning")
        )

    patch({"metadata": {"finalizers": ["crossfade.dev/users-in-arms"]}})
    for change in (
        {"spec": {"desiredState": "Running"}},
        {"metadata": {"finalizers": ["crossfade.dev/users-in-arms", "other.example.com/held"]}},
        {"metadata": {"annotations": {"example.com/seen": "yes"}}},
        {"metadata": {"labels": {"team": "ranking"}}},
    ):
        with pytest.raises(Refused, match="designs are people's"):
            patch(change)
    patch({"metadata": {"finalizers": []}})


def test_decisions_are_written_by_the_controllers_each_on_its_own_side(kubectl: Kubectl) -> None:
    on_experiment = {**DECISION, "subject": {**DECISION["subject"], "kind": "Experiment"}}
    for by, good, bad in (
        (RELEASE.account("serving"), DECISION, on_experiment),
        (RELEASE.account("learning"), on_experiment, DECISION),
    ):
        _create(kubectl, _object("Decision", good), dry=True, by=by)
        with pytest.raises(Refused, match="Decisions are written by Crossfade's controllers, each on its own side"):
            _create(kubectl, _object("Decision", bad), dry=True, by=by)
    with pytest.raises(Refused, match="ask for one with kubectl crossfade promote"):
        _create(kubectl, _object("Decision", DECISION), dry=True)
    _create(kubectl, _object("Decision", DECISION), dry=True, group=ADMINISTRATORS)


def test_a_record_belongs_to_nobody_and_begins_its_time_unexpired(kubectl: Kubectl) -> None:
    owner = {"apiVersion": API_VERSION, "kind": "Experiment", "name": "ranker", "uid": "5f4d"}
    with pytest.raises(Refused, match="a record outlives what it is about"):
        _create(kubectl, _review(ANA, ownerReferences=[owner]), dry=True)
    with pytest.raises(Refused, match="retention is set by the learning controller"):
        _create(kubectl, _review(ANA, labels={"crossfade.dev/retention": "Expired"}), dry=True)


def test_a_record_is_kept_until_its_time_is_over(kubectl: Kubectl) -> None:
    _create(kubectl, _review(ANA, name="kept"))
    delete = ("delete", "review/kept", "-n", "shop", "--wait=false")
    with pytest.raises(
        Refused, match=f"Review kept is kept until its time is over .* member of the group {ADMINISTRATORS}"
    ):
        kubectl(*delete)
    label = ("label", "review/kept", "-n", "shop", "crossfade.dev/retention=Expired")
    with pytest.raises(Refused, match="retention is set by the learning controller"):
        kubectl(*label)
    kubectl(*label, by=RELEASE.account("learning"))
    kubectl(*delete)


def test_a_namespace_with_records_stays_until_an_administrator_lets_them_go(kubectl: Kubectl) -> None:
    _create(kubectl, _review(ANA, name="kept", namespace="gone"))
    kubectl("create", "configmap", "other", "-n", "gone")
    kubectl("delete", "namespace", "gone", "--wait=false")

    def held() -> None:
        conditions = json.loads(kubectl("get", "namespace", "gone", "-o", "json"))["status"].get("conditions", [])
        said = [one["message"] for one in conditions if one["type"] == "NamespaceDeletionContentFailure"]
        if not any("is kept until its time is over" in message for message in said):
            raise NotYetError(f"conditions {conditions}")

    wait_for("the namespace to say what holds it", held, timeout=60, interval=0.5)
    assert "review.crossfade.dev/kept" in kubectl("get", "reviews", "-n", "gone", "-o", "name")
    kubectl("delete", "decisions,reviews", "--all", "-n", "gone", group=ADMINISTRATORS)

    def deleted() -> None:
        if kubectl("get", "namespace", "gone", "--ignore-not-found", "-o", "name"):
            raise NotYetError("it is still there")

    wait_for("the namespace to go", deleted, timeout=120, interval=0.5)


@pytest.mark.parametrize("kind", ["decisions", "reviews"])
def test_the_kind_of_a_record_cannot_be_deleted_from_under_it(kubectl: Kubectl, kind: str) -> None:
    delete = ("delete", "crd", f"{kind}.crossfade.dev", "--dry-run=server")
    with pytest.raises(Refused, match=f"{kind}.crossfade.dev is kept until"):
        kubectl(*delete)
    kubectl(*delete, group=ADMINISTRATORS)


def test_namespaces_that_are_not_served_are_not_judged(kubectl: Kubectl) -> None:
    _create(kubectl, _review(BEN, namespace="elsewhere"), dry=True)


def test_a_service_of_somebody_else_is_not_taken_over(kubectl: Kubectl) -> None:
    kubectl("create", "service", "clusterip", "ranker", "--tcp=80", "-n", "shop")
    serving = RELEASE.account("serving")
    change = ("label", "service/ranker", "-n", "shop", "--overwrite")
    with pytest.raises(Refused, match="Service ranker is not Crossfade's: choose another name, or label it"):
        kubectl(*change, "crossfade.dev/endpoint=ranker", by=serving)
    kubectl(*change, "app.kubernetes.io/managed-by=crossfade")
    kubectl(*change, "crossfade.dev/endpoint=ranker", by=serving)


def test_a_table_that_lost_its_label_can_be_written_all_the_same(kubectl: Kubectl) -> None:
    uid = kubectl("get", "mr/ranker", "-n", "shop", "-o", "jsonpath={.metadata.uid}")
    owner = {"apiVersion": API_VERSION, "kind": "ModelRollout", "name": "ranker", "uid": uid}
    table = {"name": "ranker-router", "namespace": "shop", "ownerReferences": [owner]}
    _create(kubectl, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": table, "data": {"generation": "7"}})
    rolled_back = (
        "patch",
        "configmap/ranker-router",
        "-n",
        "shop",
        "--type=merge",
        "-p",
        '{"data": {"generation": "8"}}',
    )
    kubectl(*rolled_back, by=RELEASE.account("serving"))
