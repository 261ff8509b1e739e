"""The matrix: for every verb on every thing and every identity, whether it is allowed, and by what it is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dev.permissions.catalogue import THINGS
from dev.permissions.chart import Asked, Release, Roles, rendered
from dev.permissions.identities import NAMESPACE, Identity, identities
from dev.permissions.things import Thing

NO_ROLE = "no role"
ALLOWED = "allowed"


@dataclass(frozen=True)
class Cell:
    """Somebody, a verb and a thing. `verdict` is ALLOWED, NO_ROLE, or the first policy that refuses."""

    identity: Identity
    thing: Thing
    verb: str
    verdict: str


def place(thing: Thing, release: Release) -> str:
    """The namespace that a thing is in."""
    if thing.cluster_wide:
        return ""
    return release.namespace if thing.namespace == "release" else thing.namespace or NAMESPACE


def name_of(thing: Thing, release: Release) -> str | None:
    """The name of a thing that has to have that one."""
    return f"{release.fullname}-{thing.named}" if thing.named else None


def cells(release: Release, objects: Sequence[Mapping[str, Any]] | None = None) -> list[Cell]:
    """Every cell, as the rendered chart's roles and the policies of the catalogue say it."""
    roles = Roles(rendered(release) if objects is None else objects)
    return [
        Cell(identity, thing, verb, _verdict(roles, release, identity, thing, verb))
        for thing in THINGS
        for identity in identities(release)
        for verb in thing.verbs
    ]


def _verdict(roles: Roles, release: Release, identity: Identity, thing: Thing, verb: str) -> str:
    whole = verb in ("create", "list", "watch", "deletecollection")
    namespace = place(thing, release)
    asked = Asked(verb, thing.group, thing.resource, namespace, None if whole else name_of(thing, release))
    named = (identity.role,) if identity.role and namespace == NAMESPACE else ()
    if not roles.allow(asked, user=identity.user, groups=identity.groups, roles=named):
        return NO_ROLE
    refusals = thing.refusals(identity.name, verb)
    return refusals[0] if refusals else ALLOWED
