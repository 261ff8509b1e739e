"""The permission matrix, cell by cell, on a real API server; and what holds of it, whatever roles anybody is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from dev.cluster.waiting import NotYetError, wait_for
from dev.permissions.catalogue import THINGS
from dev.permissions.chart import Release, rendered
from dev.permissions.identities import NAMESPACE, NOBODY, Identity, identities
from dev.permissions.matrix import ALLOWED, NO_ROLE, Cell, cells
from dev.permissions.page import PATH, page
from dev.permissions.things import WRITE, Side, Thing
from tests.integration.chart.attempts import MASTERS, Attempts
from tests.integration.chart.conftest import Helm

pytestmark = pytest.mark.integration

RELEASE = Release("tried", "tried-system", ("learning.replicas=1",))
BY_THING = pytest.mark.parametrize("thing", THINGS, ids=[thing.title for thing in THINGS])


@pytest.fixture(scope="module")
def attempts(helm: Helm, kubernetes_client: client.ApiClient) -> Iterator[Attempts]:
    """The chart is installed, people have their roles, and one object of each thing is there."""
    core = client.CoreV1Api(kubernetes_client)
    for namespace in (RELEASE.namespace, NAMESPACE):
        core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))
    helm("install", *RELEASE.arguments())
    _bind_people(client.RbacAuthorizationV1Api(kubernetes_client))
    trying = Attempts(kubernetes_client.configuration, RELEASE)
    for thing in THINGS:
        if set(thing.verbs) != {"create"}:
            trying.store(thing)
    _wait_for_policies(trying)
    yield trying
    trying.close()
    helm("uninstall", RELEASE.name, "--namespace", RELEASE.namespace)
    core.delete_namespace(RELEASE.namespace)
    core.delete_namespace(NAMESPACE)


def _bind_people(rbac: client.RbacAuthorizationV1Api) -> None:
    for person in identities(RELEASE):
        if person.role:
            rbac.create_namespaced_role_binding(
                NAMESPACE,
                client.V1RoleBinding(
                    metadata=client.V1ObjectMeta(name=person.name),
                    role_ref=client.V1RoleRef(
                        api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=person.role
                    ),
                    subjects=[client.RbacV1Subject(kind="User", name=person.user)],
                ),
            )


def _wait_for_policies(attempts: Attempts) -> None:
    """A policy is in force a moment after it was made; the API server does not say when."""
    denied = [(thing, denial, verb) for thing in THINGS for denial in thing.denials for verb in denial.verbs[:1]]

    def in_force() -> None:
        seen = {}
        for thing, denial, verb in denied:
            identity = _named(denial.to[0] if denial.to else "edit")
            if verb in thing.verbs and denial.policy not in seen:
                seen[denial.policy] = attempts.verdict(identity, verb, thing, more=[MASTERS])
        missing = [policy for policy, verdict in seen.items() if verdict == ALLOWED]
        if missing:
            raise NotYetError(f"not in force: {missing}")

    wait_for("the policies to be in force", in_force, timeout=60, interval=0.5)


def _named(name: str) -> Identity:
    (found,) = [identity for identity in identities(RELEASE) if identity.name == name]
    return found


@pytest.fixture(scope="module")
def matrix() -> list[Cell]:
    return cells(RELEASE)


@BY_THING
def test_every_cell_is_as_the_matrix_says(attempts: Attempts, matrix: list[Cell], thing: Thing) -> None:
    differences = []
    for cell in (cell for cell in matrix if cell.thing is thing):
        seen = attempts.verdict(cell.identity, cell.verb, thing)
        granted = cell.verdict != NO_ROLE
        # Where several policies refuse, any of them may be named.
        if seen != cell.verdict and not (granted and seen in thing.refusals(cell.identity.name, cell.verb)):
            differences.append(f"{cell.verb} by {cell.identity.name}: {seen}, not {cell.verdict}")
    assert not differences


@pytest.mark.parametrize("name", ["serving", "learning"])
@BY_THING
def test_no_role_lets_a_controller_write_what_is_the_others(attempts: Attempts, thing: Thing, name: str) -> None:
    for verb in thing.verbs:
        if policies := thing.refusals(name, verb):
            assert attempts.verdict(_named(name), verb, thing, more=[MASTERS]) in policies, verb


def test_neither_controller_may_write_what_is_the_others(matrix: list[Cell]) -> None:
    others = {("learning", Side.SERVING), ("serving", Side.LEARNING)}
    written = [cell for cell in matrix if (cell.identity.name, cell.thing.side) in others and cell.verb in WRITE]
    assert len(written) > 100
    assert {cell.verdict for cell in written} <= {NO_ROLE, *(d.policy for thing in THINGS for d in thing.denials)}


def test_whoever_has_no_token_may_do_nothing(matrix: list[Cell]) -> None:
    assert {cell.verdict for cell in matrix if cell.identity.title == NOBODY} == {NO_ROLE}


def test_the_matrix_speaks_of_every_policy_of_the_chart() -> None:
    kinds = [obj for obj in rendered(RELEASE) if obj["kind"] == "ValidatingAdmissionPolicy"]
    known = {RELEASE.policy(denial.policy) for thing in THINGS for denial in thing.denials}
    assert {obj["metadata"]["name"] for obj in kinds} == known


def test_the_page_is_fresh() -> None:
    written = (Path(__file__).parents[3] / PATH).read_text()
    assert page(cells(Release())) == written, "run python -m dev.permissions"
