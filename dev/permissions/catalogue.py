"""Every thing of the permission matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dev.permissions.things import CALLER, REPLACE, WRITE, Denial, Json, Side, Thing

OURS = "crossfade.dev/v1alpha1"
ONLY_ARMS = Denial("learning-owns-arms-only", WRITE, to=("learning",))
NEVER_SERVES = Denial("learning-never-serves", WRITE, to=("learning",))
NO_LEASE = Denial("learning-keeps-to-its-lease", WRITE, to=("learning",))
NEVER_DESIGNS = Denial("learning-never-designs", WRITE, to=("learning",))
NO_EXPERIMENT = Denial("serving-leaves-experiments-alone", WRITE, to=("serving",))
EXPIRED = {"crossfade.dev/retention": "Expired"}
IN_ONES_OWN_NAME, IN_ANOTHERS = "in one's own name", "in another's name"
ONLY_ITS_OWN = Denial("serving-writes-its-own-only", WRITE, to=("serving",))
PORTS = [{"name": "http", "port": 80}]
_CONTAINER = {"name": "model", "image": "m:1", "ports": [{"name": "http", "containerPort": 8080}]}
_POD = {"automountServiceAccountToken": False, "containers": [_CONTAINER]}


def _labels(component: str) -> dict[str, str]:
    """Labels of what is Crossfade's, or of what is somebody else's without a component."""
    if not component:
        return {"app": "shop"}
    return {"app.kubernetes.io/managed-by": "crossfade", "crossfade.dev/component": component}


def _ours(title: str, side: Side, kind: str, spec: Json, **options: Any) -> Thing:
    return Thing(title, side, OURS, kind, f"{kind.lower()}s", {"spec": spec}, **options)


def _part(thing: Thing, subresource: str, title: str, change: Json) -> Thing:
    return replace(thing, title=title, subresource=subresource, verbs=REPLACE, change=change)


def _act(thing: Thing, title: str, change: Json, *denials: Denial) -> Thing:
    """One change of a thing that admission judges."""
    return replace(thing, title=title, verbs=("update", "patch"), change=change, denials=(*thing.denials, *denials))


def _endpoint_and_rollout() -> list[Thing]:
    only = {"denials": (NEVER_SERVES,)}
    endpoint = _ours("ModelEndpoint", Side.SERVING, "ModelEndpoint", {"unit": {"header": "x-user-id"}}, **only)
    spec = {"endpoint": "ranker", "replicas": 0, "template": {"spec": {"containers": [_CONTAINER]}}}
    rollout = _ours("ModelRollout", Side.SERVING, "ModelRollout", spec, **only)
    seen = {"status": {"observedGeneration": 1}}
    return [
        endpoint,
        _part(endpoint, "status", "ModelEndpoint: status (ledger and route)", seen),
        _part(endpoint, "scale", "ModelEndpoint: scale", {"spec": {"replicas": 3}}),
        rollout,
        _part(rollout, "status", "ModelRollout: status", seen),
        _part(rollout, "scale", "ModelRollout: scale", {"spec": {"replicas": 3}}),
        _act(rollout, f"ModelRollout: to ask for a promotion {IN_ONES_OWN_NAME}", _promotion(CALLER)),
        _act(
            rollout,
            f"ModelRollout: to ask for a promotion {IN_ANOTHERS}",
            _promotion("eve"),
            Denial("promotions-are-ones-own", ("update", "patch")),
        ),
        _act(rollout, "ModelRollout: to abort", {"metadata": {"annotations": {"crossfade.dev/abort": "t1"}}}),
        _act(
            rollout,
            f"ModelRollout: to abort {IN_ANOTHERS}",
            {"metadata": {"annotations": {"crossfade.dev/abort": "t1", "crossfade.dev/abort-by": "t1 eve"}}},
            Denial("requests-are-signed-by-oneself", ("update", "patch")),
        ),
    ]


def _promotion(by: str) -> Json:
    return {"metadata": {"annotations": {"crossfade.dev/promote": "t1", "crossfade.dev/requested-by": by}}}


def _routing() -> list[Thing]:
    core: Mapping[str, Any] = {"side": Side.SERVING, "api_version": "v1", "denials": (NEVER_SERVES,)}
    pod = {"metadata": {"labels": _labels("router")}, "spec": _POD}
    routing = {"metadata": {"labels": _labels("router")}}
    slice_of = {"addressType": "IPv4", "endpoints": [], "ports": []}
    budget = {**routing, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _labels("router")}}}
    return [
        Thing("ConfigMap (routing table)", kind="ConfigMap", plural="configmaps", body=routing, **core),
        Thing("Service", kind="Service", plural="services", body={**routing, "spec": {"ports": PORTS}}, **core),
        Thing(
            "EndpointSlice", Side.SERVING, "discovery.k8s.io/v1", "EndpointSlice", "endpointslices", slice_of,
            denials=(NEVER_SERVES,),
        ),
        Thing(
            "PodDisruptionBudget", Side.SERVING, "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", budget,
            denials=(NEVER_SERVES,),
        ),
        Thing("Pod of a router", kind="Pod", plural="pods", body=pod, **core),
        _workload("Deployment of a router", Side.SERVING, "router", ONLY_ARMS),
        _workload("Deployment of a revision", Side.SERVING, "revision", ONLY_ARMS),
        _template("ControllerRevision of a revision", Side.SERVING, "revision", ONLY_ARMS),
        _lease("Lease of the serving controller", Side.SERVING, "serving", NO_LEASE),
    ]  # fmt: skip


def _workload(title: str, side: Side, component: str, *denials: Denial, pods: str = "", **spec: Any) -> Thing:
    chosen = {"crossfade.dev/component": pods or component} if component else {"app": "shop"}
    template = {"metadata": {"labels": chosen}, "spec": {**_POD, **spec}}
    body = {
        "metadata": {"labels": _labels(component)},
        "spec": {"replicas": 0, "selector": {"matchLabels": chosen}, "template": template},
    }
    return Thing(title, side, "apps/v1", "Deployment", "deployments", body, denials=denials)


def _template(title: str, side: Side, component: str, *denials: Denial) -> Thing:
    body = {"metadata": {"labels": _labels(component)}, "data": {}, "revision": 1}
    return Thing(title, side, "apps/v1", "ControllerRevision", "controllerrevisions", body, denials=denials)


def _lease(title: str, side: Side, name: str, *denials: Denial) -> Thing:
    body = {"spec": {"holderIdentity": "somebody"}}
    return Thing(
        title, side, "coordination.k8s.io/v1", "Lease", "leases", body, denials=denials, namespace="release", named=name
    )


def _experiments() -> list[Thing]:
    arms = [{"name": name, "role": role, "revision": "Stable"} for name, role in (("a", "Control"), ("b", "Treatment"))]
    metrics = [{"metric": "plays", "role": "Success", "mde": {"relative": "1%"}}]
    design = {"hypothesis": "Plays rise.", "slice": "10%", "arms": arms, "metrics": metrics}
    spec = {"endpoint": "ranker", "owner": "team", "decisionMaker": "ana", "design": design}
    experiment = _ours("Experiment", Side.LEARNING, "Experiment", spec, denials=(NO_EXPERIMENT, NEVER_DESIGNS))
    counted = {"type": "Count", "prometheus": {"numerator": "a_total", "denominator": "b_total"}}
    metric = _ours("Metric", Side.LEARNING, "Metric", counted)
    return [
        experiment,
        replace(
            _part(experiment, "status", "Experiment: status", {"status": {"phase": "Draft"}}), denials=(NO_EXPERIMENT,)
        ),
        replace(
            _act(
                experiment,
                "Experiment: to keep it while users are in its arms",
                {"metadata": {"finalizers": ["crossfade.dev/users-in-arms"]}},
            ),
            denials=(NO_EXPERIMENT,),
        ),
        _act(
            experiment,
            f"Experiment: to start it {IN_ANOTHERS}",
            {
                "metadata": {"annotations": {"crossfade.dev/state-by": "1/Running eve"}},
                "spec": {"desiredState": "Running"},
            },
            Denial("states-are-signed-by-oneself", ("update", "patch")),
        ),
        _act(experiment, f"Experiment: to decide {IN_ONES_OWN_NAME}", _choice(CALLER)),
        _act(
            experiment,
            f"Experiment: to decide {IN_ANOTHERS}",
            _choice("eve"),
            Denial("decisions-are-ones-own", ("update", "patch")),
        ),
        replace(
            _act(
                experiment,
                "Experiment that has started: to make oneself its decision maker",
                {"spec": {"decisionMaker": CALLER}},
                Denial("handovers-are-ones-own", ("update", "patch"), but=("administrator",)),
            ),
            status={"phase": "Running"},
        ),
        metric,
        _part(metric, "status", "Metric: status", {"status": {"observedGeneration": 1}}),
    ]


def _choice(by: str) -> Json:
    return {"spec": {"decision": {"action": "Abort", "by": by, "rationale": "It is worse."}}}


def _arms() -> list[Thing]:
    arm = _workload("Deployment of an arm", Side.LEARNING, "arm", NO_EXPERIMENT)

    def spoilt(title: str, pods: str = "", **spec: Any) -> Thing:
        thing = _workload(title, Side.REFUSED, "arm", NO_EXPERIMENT, ONLY_ARMS, pods=pods, **spec)
        return replace(thing, verbs=("create",))

    source = [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
    pod = {"metadata": {"labels": _labels("arm")}, "spec": _POD}
    return [
        arm,
        _template("ControllerRevision of an arm", Side.LEARNING, "arm", NO_EXPERIMENT),
        _template("ControllerRevision of a Metric", Side.LEARNING, "metric", NO_EXPERIMENT),
        Thing("Pod of an arm", Side.LEARNING, "v1", "Pod", "pods", pod, denials=(NO_EXPERIMENT, NEVER_SERVES)),
        _lease("Lease of the learning controller", Side.LEARNING, "learning", NO_EXPERIMENT),
        spoilt("Deployment of an arm whose pods are labelled as a revision's", pods="revision"),
        spoilt("Deployment of an arm with a token", automountServiceAccountToken=True),
        spoilt("Deployment of an arm with a projected token", volumes=source),
        replace(spoilt("Deployment of an arm in the release's own namespace"), namespace="release"),
        replace(spoilt("Deployment of an arm in kube-system"), namespace="kube-system"),
    ]


def _records() -> list[Thing]:
    kept = Denial("records-are-kept", ("delete", "deletecollection"), but=("administrator",))
    written = Denial("records-are-genuine", ("create",), but=("administrator",))
    on_rollout = _decision(
        "Decision on a ModelRollout", "ModelRollout", kept, replace(written, but=(*written.but, "serving"))
    )
    on_experiment = _decision(
        "Decision on an Experiment", "Experiment", kept, replace(written, but=(*written.but, "learning"))
    )
    review = {"subject": {"kind": "Experiment", "name": "new-ranker"}, "verdict": "Approve", "reviewer": CALLER}
    own = _ours(f"Review {IN_ONES_OWN_NAME}", Side.RECORD, "Review", review, denials=(kept,))
    changed = Denial("records-are-genuine", ("update", "patch"))
    by_learning = replace(changed, to=("learning",))
    team = {"example.com/team": "ranking"}
    return [
        *(
            replace(one, change=_labelled(team), denials=(*one.denials, by_learning))
            for one in (on_rollout, on_experiment, own)
        ),
        replace(
            _ours(f"Review {IN_ANOTHERS}", Side.RECORD, "Review", {**review, "reviewer": "eve"}, verbs=("create",)),
            denials=(Denial("records-are-genuine", ("create",)),),
        ),
        _act(on_rollout, "Decision: to say that its time is over", _labelled(EXPIRED)),
        _act(
            on_rollout,
            "Decision: to change a label of Crossfade's",
            _labelled({"crossfade.dev/endpoint": "other"}),
            changed,
        ),
        _expired(on_rollout, "Decision whose time is over"),
        _expired(own, "Review whose time is over"),
    ]


def _labelled(labels: Json) -> Json:
    return {"metadata": {"labels": labels}}


def _decision(title: str, subject: str, *denials: Denial) -> Thing:
    spec = {
        "subject": {"kind": subject, "name": "ranker", "uid": "5f4d"},
        "endpoint": "ranker",
        "action": "Stop",
        "basis": "Evidence",
        "actor": "rule@1",
        "rule": "rule@1",
        "reason": "Complete",
        "at": "2026-11-25T12:00:00.000000Z",
        "retainUntil": "2028-11-25T12:00:00.000000Z",
    }
    thing = _ours(title, Side.RECORD, "Decision", spec, denials=denials)
    return replace(thing, body={**thing.body, "metadata": {"labels": {"crossfade.dev/endpoint": "ranker"}}})


def _expired(thing: Thing, title: str) -> Thing:
    body = {**thing.body, **_labelled(EXPIRED)}
    return replace(thing, title=title, body=body, verbs=("delete", "deletecollection"), denials=())


def _rest() -> list[Thing]:
    event = {
        "eventTime": "2026-11-25T12:00:00.000000Z",
        "reportingController": "crossfade.dev/serving",
        "reportingInstance": "one",
        "action": "Reconcile",
        "reason": "Waiting",
        "type": "Normal",
        "regarding": {"kind": "ModelRollout", "name": "ranker", "namespace": "recs"},
    }
    again = {"series": {"count": 2, "lastObservedTime": "2026-11-25T12:01:00.000000Z"}}
    rules: Json = {"rules": []}
    rbac = "rbac.authorization.k8s.io/v1"
    return [
        Thing("Event", Side.OTHER, "events.k8s.io/v1", "Event", "events", event, change=again),
        _workload("Deployment that is not Crossfade's", Side.OTHER, "", ONLY_ARMS, ONLY_ITS_OWN),
        Thing(
            "Service that is not Crossfade's",
            Side.OTHER,
            "v1",
            "Service",
            "services",
            {"spec": {"ports": PORTS}},
            denials=(NEVER_SERVES, ONLY_ITS_OWN),
        ),
        Thing("Secret", Side.OTHER, "v1", "Secret", "secrets", {}),
        Thing("ServiceAccount", Side.OTHER, "v1", "ServiceAccount", "serviceaccounts", {}),
        Thing("Role", Side.OTHER, rbac, "Role", "roles", rules),
        Thing("ClusterRole", Side.OTHER, rbac, "ClusterRole", "clusterroles", rules, cluster_wide=True),
        Thing(
            "Namespace",
            Side.OTHER,
            "v1",
            "Namespace",
            "namespaces",
            {},
            verbs=("create", "patch", "delete"),
            cluster_wide=True,
        ),
    ]


THINGS: tuple[Thing, ...] = (
    *_endpoint_and_rollout(),
    *_routing(),
    *_experiments(),
    *_arms(),
    *_records(),
    *_rest(),
)
