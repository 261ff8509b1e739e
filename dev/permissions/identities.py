"""Who asks the API server, or could."""

from __future__ import annotations

from dataclasses import dataclass

from dev.permissions.chart import Release

NAMESPACE = "recs"
"""The namespace of models in which everything is tried."""
NOBODY = "without a token: analyzer, router, model server"
ADMINISTRATORS = "crossfade:record-administrators"


@dataclass(frozen=True)
class Identity:
    """A user as the API server knows it. `role` is the ClusterRole of the chart that a person is given in `recs`.

    Identities with one title share a column.
    """

    name: str
    title: str
    user: str
    groups: tuple[str, ...] = ()
    role: str | None = None


def identities(release: Release) -> tuple[Identity, ...]:
    """The processes of the chart, what it starts, and people by the role that they are given."""

    def person(name: str, role: str) -> Identity:
        return Identity(role, f"`{role}`", name, ("system:authenticated",), f"{release.fullname}-{role}")

    return (
        Identity("serving", "serving controller", release.account("serving")),
        Identity("learning", "learning controller", release.account("learning")),
        Identity("analyzer", NOBODY, release.account("analyzer")),
        Identity("pods", NOBODY, f"system:serviceaccount:{NAMESPACE}:default"),
        Identity("prometheus", "own Prometheus", release.account("prometheus")),
        person("vera", "view"),
        person("edgar", "edit"),
        person("rita", "reviewer"),
        Identity("administrator", "record administrator", "ada", (ADMINISTRATORS,)),
    )
