"""How roles and bindings are read; what they come to is tried on a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from dev.permissions.chart import Asked, Release, Roles

RULES = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["mine"], "verbs": ["update"]},
]
ACCOUNT = {"kind": "ServiceAccount", "name": "one", "namespace": "system"}
ONE = "system:serviceaccount:system:one"


def role(kind: str, namespace: str = "") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "r", "namespace": namespace}, "rules": RULES}


def binding(kind: str, of: str, *subjects: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "b", "namespace": namespace},
        "roleRef": {"kind": of, "name": "r"},
        "subjects": list(subjects),
    }


def patch(namespace: str = "recs", **changes: Any) -> Asked:
    return Asked(**{"verb": "patch", "group": "apps", "resource": "deployments", "namespace": namespace, **changes})


EVERYWHERE = Roles([role("ClusterRole"), binding("ClusterRoleBinding", "ClusterRole", ACCOUNT)])
IN_RECS = Roles([role("Role", "recs"), binding("RoleBinding", "Role", ACCOUNT, namespace="recs")])
GROUP = Roles(
    [role("ClusterRole"), binding("RoleBinding", "ClusterRole", {"kind": "Group", "name": "g"}, namespace="recs")]
)


@pytest.mark.parametrize(
    ("roles", "asked", "allowed"),
    [
        pytest.param(EVERYWHERE, patch(), True, id="bound in every namespace"),
        pytest.param(EVERYWHERE, patch(verb="create"), False, id="another verb"),
        pytest.param(EVERYWHERE, patch(group="batch"), False, id="another group of the API"),
        pytest.param(EVERYWHERE, patch(resource="deployments/scale"), False, id="a subresource"),
        pytest.param(IN_RECS, patch(), True, id="bound in this namespace"),
        pytest.param(IN_RECS, patch("shop"), False, id="bound in another namespace"),
        pytest.param(GROUP, patch(), False, id="bound to a group of others"),
    ],
)
def test_a_service_account(roles: Roles, asked: Asked, allowed: bool) -> None:
    assert roles.allow(asked, user=ONE) is allowed


@pytest.mark.parametrize(("name", "allowed"), [("mine", True), ("yours", False), (None, False)])
def test_a_rule_with_names_is_about_those_only(name: str | None, allowed: bool) -> None:
    asked = Asked("update", "coordination.k8s.io", "leases", "system", name)
    assert EVERYWHERE.allow(asked, user=ONE) is allowed


def test_a_namesake_in_another_namespace_is_somebody_else() -> None:
    assert not EVERYWHERE.allow(patch(), user="system:serviceaccount:other:one")


def test_members_of_a_group_have_its_roles_where_it_is_bound() -> None:
    assert GROUP.allow(patch(), user="ana", groups=("g",))
    assert not GROUP.allow(patch("shop"), user="ana", groups=("g",))


def test_a_role_may_be_given_by_name() -> None:
    assert GROUP.allow(patch(), user="ana", roles=("r",))


@pytest.mark.parametrize(("name", "fullname"), [("crossfade", "crossfade"), ("tried", "tried-crossfade")])
def test_a_release_names_its_objects_as_the_chart_does(name: str, fullname: str) -> None:
    release = Release(name, "there")
    assert release.account("serving") == f"system:serviceaccount:there:{fullname}-serving"
    assert release.policy("records-are-kept") == f"{fullname}-records-are-kept.there"
