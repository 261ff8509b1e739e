"""The chart on a real API server: what it admits, who may do what, and that nothing stays behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client

from dev.cluster.controlplane import ControlPlane
from dev.cluster.programs import Programs, find_client
from dev.cluster.waiting import NotYetError, wait_for

pytestmark = pytest.mark.integration

CHART = Path(__file__).parents[3] / "charts" / "crossfade"
NAMESPACE = "crossfade-system"
SERVING = f"system:serviceaccount:{NAMESPACE}:crossfade-serving"
ANALYZER = f"system:serviceaccount:{NAMESPACE}:crossfade-analyzer"
PROMETHEUS = f"system:serviceaccount:{NAMESPACE}:crossfade-prometheus"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}

Helm = Callable[..., str]
May = Callable[..., bool]


@pytest.fixture(scope="module")
def helm(control_plane: ControlPlane) -> Helm:
    program = find_client(Programs.cached(), "helm")

    def call(*arguments: str) -> str:
        flags = ("--kubeconfig", str(control_plane.kubeconfig), "--namespace", NAMESPACE)
        done = subprocess.run([program, *arguments, *flags], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return call


@pytest.fixture(scope="module")
def installed(helm: Helm, kubernetes_client: client.ApiClient) -> Iterator[str]:
    """What Helm said when it installed the chart into a namespace that admits restricted pods only."""
    core = client.CoreV1Api(kubernetes_client)
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE, labels=RESTRICTED)))
    yield helm("install", "crossfade", str(CHART))
    core.delete_namespace(NAMESPACE)


@pytest.fixture
def may(kubernetes_client: client.ApiClient, installed: str) -> May:
    reviews = client.AuthorizationV1Api(kubernetes_client)

    def ask(
        user: str, verb: str, resource: str, *, namespace: str | None = "recs", groups: tuple[str, ...] = ()
    ) -> bool:
        name, _, subresource = resource.partition("/")
        kind, _, group = name.partition(".")
        review = client.V1SubjectAccessReview(
            spec=client.V1SubjectAccessReviewSpec(
                user=user,
                groups=list(groups),
                resource_attributes=client.V1ResourceAttributes(
                    verb=verb, resource=kind, group=group, subresource=subresource, namespace=namespace
                ),
            )
        )
        return bool(reviews.create_subject_access_review(review).status.allowed)

    return ask


def test_it_says_what_to_do_next_and_warns_of_nothing(installed: str) -> None:
    assert "rollout status deployment/crossfade-serving" in installed
    assert "would violate PodSecurity" not in installed


def test_restricted_pod_security_admits_every_pod(installed: str, kubernetes_client: client.ApiClient) -> None:
    def created() -> None:
        pods = client.CoreV1Api(kubernetes_client).list_namespaced_pod(NAMESPACE).items
        seen = sorted(pod.metadata.labels["app.kubernetes.io/component"] for pod in pods)
        if seen != ["analyzer", "prometheus", "serving"]:
            raise NotYetError(f"pods of {seen}")

    wait_for("the pods of all three parts to be created", created, timeout=30)


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("list", "modelrollouts.crossfade.dev"),
        ("patch", "modelrollouts.crossfade.dev/status"),
        ("update", "modelendpoints.crossfade.dev/finalizers"),
        ("create", "deployments.apps"),
        ("patch", "controllerrevisions.apps"),
        ("delete", "services"),
        ("patch", "configmaps"),
        ("patch", "pods"),
        ("create", "poddisruptionbudgets.policy"),
        ("create", "events.events.k8s.io"),
    ],
)
def test_the_serving_controller_may(may: May, verb: str, resource: str) -> None:
    assert may(SERVING, verb, resource)


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "secrets"),
        ("create", "pods"),
        ("delete", "pods"),
        ("create", "pods/exec"),
        ("patch", "modelrollouts.crossfade.dev"),
        ("delete", "modelendpoints.crossfade.dev"),
        ("create", "serviceaccounts"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
        ("create", "leases.coordination.k8s.io"),
        ("get", "nodes"),
    ],
)
def test_the_serving_controller_may_not(may: May, verb: str, resource: str) -> None:
    assert not may(SERVING, verb, resource)


def test_the_lease_is_the_controllers_in_its_own_namespace_only(may: May) -> None:
    assert may(SERVING, "update", "leases.coordination.k8s.io", namespace=NAMESPACE)
    assert not may(SERVING, "update", "leases.coordination.k8s.io", namespace="kube-system")


@pytest.mark.parametrize("verb", ["get", "list", "create", "patch"])
@pytest.mark.parametrize("resource", ["modelrollouts.crossfade.dev", "pods", "configmaps", "secrets"])
def test_the_analyzer_may_nothing(may: May, verb: str, resource: str) -> None:
    assert not may(ANALYZER, verb, resource)


def test_prometheus_may_find_pods_and_nothing_else(may: May) -> None:
    assert may(PROMETHEUS, "watch", "pods")
    assert not may(PROMETHEUS, "get", "secrets")
    assert not may(PROMETHEUS, "patch", "pods")


def test_the_clusters_own_roles_cover_the_kinds(may: May, kubernetes_client: client.ApiClient) -> None:
    rbac = client.RbacAuthorizationV1Api(kubernetes_client)
    for role in ("view", "edit", "admin"):
        rbac.create_namespaced_role_binding(
            "default",
            client.V1RoleBinding(
                metadata=client.V1ObjectMeta(name=f"test-{role}"),
                role_ref=client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=role),
                subjects=[client.RbacV1Subject(kind="User", name=f"a-{role}er")],
            ),
        )

    def aggregated() -> None:
        if not may("a-editer", "patch", "modelrollouts.crossfade.dev", namespace="default"):
            raise NotYetError("the role edit does not cover ModelRollouts")

    wait_for("the roles to be aggregated", aggregated, timeout=30)
    assert may("a-viewer", "list", "modelrollouts.crossfade.dev", namespace="default")
    assert not may("a-viewer", "patch", "modelrollouts.crossfade.dev", namespace="default")
    assert may("a-adminer", "delete", "modelendpoints.crossfade.dev", namespace="default")
    assert not may("a-adminer", "patch", "modelrollouts.crossfade.dev/status", namespace="default")


def test_an_upgrade_to_other_values_is_accepted(installed: str, helm: Helm) -> None:
    assert "REVISION: 2" in helm("upgrade", "crossfade", str(CHART), "--set", "networkPolicy.enabled=true")


def test_an_uninstall_leaves_the_evidence_and_the_kinds_only(
    installed: str, helm: Helm, kubernetes_client: client.ApiClient
) -> None:
    helm("uninstall", "crossfade", "--wait")
    core, rbac = client.CoreV1Api(kubernetes_client), client.RbacAuthorizationV1Api(kubernetes_client)
    mine = "app.kubernetes.io/instance=crossfade"
    claims = core.list_namespaced_persistent_volume_claim(NAMESPACE, label_selector=mine).items
    assert [claim.metadata.name for claim in claims] == ["crossfade-evidence"]
    assert client.AppsV1Api(kubernetes_client).list_namespaced_deployment(NAMESPACE).items == []
    for listed in (
        core.list_namespaced_service(NAMESPACE, label_selector=mine),
        core.list_namespaced_config_map(NAMESPACE, label_selector=mine),
        core.list_namespaced_service_account(NAMESPACE, label_selector=mine),
        rbac.list_cluster_role(label_selector=mine),
        rbac.list_cluster_role_binding(label_selector=mine),
    ):
        assert listed.items == []
    kinds = client.ApiextensionsV1Api(kubernetes_client).list_custom_resource_definition().items
    assert {kind.spec.group for kind in kinds} == {"crossfade.dev"}
    assert "REVISION: 1" in helm("install", "crossfade", str(CHART)), "a new installation takes the claim over"
