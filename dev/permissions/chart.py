"""The chart as Helm renders it, and what its roles allow."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.cluster.programs import Programs, find_client

CHART = Path(__file__).parents[2] / "charts" / "crossfade"
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Release:
    """Where and under what name the chart is installed. `values` are those of `--set`."""

    name: str = "crossfade"
    namespace: str = "crossfade-system"
    values: tuple[str, ...] = ()

    @property
    def fullname(self) -> str:
        """What the names of its objects begin with."""
        return self.name if "crossfade" in self.name else f"{self.name}-crossfade"

    def policy(self, policy: str) -> str:
        """The name of one of its admission policies."""
        return f"{self.fullname}-{policy}.{self.namespace}"

    def account(self, component: str) -> str:
        """The user name of one of its ServiceAccounts."""
        return f"system:serviceaccount:{self.namespace}:{self.fullname}-{component}"

    def arguments(self) -> list[str]:
        """Name, chart, namespace and values, as `helm template` and `helm install` take them."""
        sets = [part for value in self.values for part in ("--set", value)]
        return [self.name, str(CHART), "--namespace", self.namespace, *sets]


def rendered(release: Release) -> list[Json]:
    """The objects that Helm makes of the chart."""
    program = str(find_client(Programs.cached(), "helm"))
    argv = [program, "template", *release.arguments(), "--kube-version", "1.36.0"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    return [obj for obj in yaml.safe_load_all(done.stdout) if obj]


@dataclass(frozen=True)
class Asked:
    """A verb on a resource, such as `patch` on `apps` `deployments`, as RBAC sees it."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str | None = None
    """None for what is done to a collection, or to an object that is yet to be made."""


class Roles:
    """The roles and bindings among rendered objects."""

    def __init__(self, objects: Sequence[Json]) -> None:
        self._rules = {_address(obj): obj["rules"] for obj in objects if obj["kind"] in ("Role", "ClusterRole")}
        self._bindings = [obj for obj in objects if obj["kind"] in ("RoleBinding", "ClusterRoleBinding")]

    def allow(self, asked: Asked, *, user: str, groups: Sequence[str] = (), roles: Sequence[str] = ()) -> bool:
        """Whether a rule bound to the user or a group, or one of the named ClusterRoles, says so."""
        bound = self._bound(user, groups, asked.namespace)
        named = (rule for role in roles for rule in self._rules[("ClusterRole", "", role)])
        return any(_covers(rule, asked) for rule in (*bound, *named))

    def _bound(self, user: str, groups: Sequence[str], namespace: str) -> Iterator[Json]:
        for binding in self._bindings:
            within = binding["metadata"].get("namespace", "")
            everywhere = binding["kind"] == "ClusterRoleBinding"
            if any(_is(subject, user, groups) for subject in binding["subjects"]) and (
                everywhere or within == namespace
            ):
                role = binding["roleRef"]
                yield from self._rules[(role["kind"], "" if role["kind"] == "ClusterRole" else within, role["name"])]


def _address(obj: Json) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _is(subject: Json, user: str, groups: Sequence[str]) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user == f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
    return subject["name"] in ((user,) if subject["kind"] == "User" else groups)


def _covers(rule: Json, asked: Asked) -> bool:
    names = rule.get("resourceNames")
    return (
        asked.verb in rule["verbs"]
        and asked.group in rule["apiGroups"]
        and asked.resource in rule["resources"]
        and (not names or asked.name in names)
    )
