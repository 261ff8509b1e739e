"""The chart on a real API server: what it admits, who may do what, and that nothing stays behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kubernetes import client

from dev.cluster.waiting import NotYetError, wait_for
from dev.permissions.chart import Release
from tests.integration.chart.conftest import Helm

pytestmark = pytest.mark.integration

RELEASE = Release()
NAMESPACE = RELEASE.namespace
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}

May = Callable[..., bool]


@pytest.fixture(scope="module")
def installed(helm: Helm, kubernetes_client: client.ApiClient) -> Iterator[str]:
    """What Helm said when it installed the chart into a namespace that admits restricted pods only."""
    core = client.CoreV1Api(kubernetes_client)
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE, labels=RESTRICTED)))
    yield helm("install", *RELEASE.arguments())
    helm("uninstall", "crossfade", "--namespace", NAMESPACE)
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
        if seen != ["analyzer", "learning", "prometheus", "serving"]:
            raise NotYetError(f"pods of {seen}")

    wait_for("the pods of all four parts to be created", created, timeout=30)


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
    assert may("a-viewer", "list", "decisions.crossfade.dev", namespace="default")
    assert not may("a-viewer", "patch", "modelrollouts.crossfade.dev", namespace="default")
    assert not may("a-viewer", "create", "reviews.crossfade.dev", namespace="default")
    assert may("a-editer", "create", "reviews.crossfade.dev", namespace="default")
    assert may("a-editer", "patch", "experiments.crossfade.dev", namespace="default")
    assert may("a-adminer", "delete", "modelendpoints.crossfade.dev", namespace="default")
    assert not may("a-adminer", "patch", "modelrollouts.crossfade.dev/status", namespace="default")
    assert not may("a-adminer", "create", "decisions.crossfade.dev", namespace="default")


def test_an_upgrade_to_other_values_is_accepted(installed: str, helm: Helm) -> None:
    shut_in = Release(values=("networkPolicy.enabled=true", "learning.enabled=false"))
    assert "REVISION: 2" in helm("upgrade", *shut_in.arguments())


def test_an_uninstall_leaves_the_evidence_and_the_kinds_only(
    installed: str, helm: Helm, kubernetes_client: client.ApiClient
) -> None:
    helm("uninstall", "crossfade", "--namespace", NAMESPACE, "--wait")
    core, rbac = client.CoreV1Api(kubernetes_client), client.RbacAuthorizationV1Api(kubernetes_client)
    admission = client.AdmissionregistrationV1Api(kubernetes_client)
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
        admission.list_validating_admission_policy(label_selector=mine),
        admission.list_validating_admission_policy_binding(label_selector=mine),
    ):
        assert listed.items == []
    kinds = client.ApiextensionsV1Api(kubernetes_client).list_custom_resource_definition().items
    assert {kind.spec.group for kind in kinds} == {"crossfade.dev"}
    assert "REVISION: 1" in helm("install", *RELEASE.arguments()), "a new installation takes the claim over"
