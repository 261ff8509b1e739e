"""Who asked for something that needs no name: an annotation that says what was asked, a space, and one's user name.

Admission compares the name with the caller. The words before it bind it to one request, so that it never speaks for
the next one, which somebody else may make without signing it.
"""

from __future__ import annotations

from collections.abc import Mapping

from crossfade_operator.api.meta import GROUP

UNNAMED = "unnamed"
"""The `by` of what a person asked for who did not sign."""

NAME_LENGTH = 253
"""What of a person's name is put on record."""


def key_of(verb: str) -> str:
    """`abort-by`, `retry-by`, `state-by`."""
    return f"{GROUP}/{verb}-by"


def state_of(run: int, desired: str) -> str:
    """What the signature of an experiment's desired state says was asked."""
    return f"{run}/{desired}"


def signed(verb: str, asked: str, by: str) -> dict[str, str]:
    """The annotation of somebody who asks for it."""
    return {key_of(verb): f"{asked} {by}"}


def signer(annotations: Mapping[str, str], verb: str, asked: str) -> str:
    """Who asked for exactly this, or `UNNAMED`."""
    what, _, name = annotations.get(key_of(verb), "").partition(" ")
    return name[:NAME_LENGTH] if what == asked and name else UNNAMED
