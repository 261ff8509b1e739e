"""What kopf is asked to do by either side, and above all what it is not."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest
from kopf._core.intents.causes import Activity

from crossfade_operator.api.meta import GROUP
from crossfade_operator.handlers import watching
from crossfade_operator.handlers.learning import primaries as learning
from crossfade_operator.handlers.serving import primaries as serving

LONGEST_HANDLER = 15

on_both_sides = pytest.mark.parametrize("primaries", [serving, learning], ids=["serving", "learning"])


@pytest.mark.parametrize(
    ("primaries", "kinds"),
    [
        (serving, {"modelendpoints", "modelrollouts", "experiments", "reviews"}),
        (learning, {"experiments", "modelendpoints", "modelrollouts", "reviews", "metrics"}),
    ],
    ids=["serving", "learning"],
)
def test_these_kinds_are_watched_and_nothing_else(primaries: ModuleType, kinds: set[str]) -> None:
    watched = primaries.REGISTRY._watching.get_all_handlers()
    found = {(handler.selector.group, handler.selector.plural or handler.selector.any_name) for handler in watched}
    assert found == {(GROUP, kind) for kind in kinds}


@on_both_sides
def test_no_handler_makes_kopf_write_to_anybodys_object(primaries: ModuleType) -> None:
    registry = primaries.REGISTRY
    writing = (registry._changing, registry._spawning, registry._webhooks, registry._indexing)
    assert [handler for part in writing for handler in part.get_all_handlers()] == []


@on_both_sides
def test_kopf_logs_in_by_our_client_alone(primaries: ModuleType) -> None:
    logins = [
        one for one in primaries.REGISTRY._activities.get_all_handlers() if one.activity is Activity.AUTHENTICATION
    ]
    assert [handler.fn for handler in logins] == [primaries.login]


@on_both_sides
def test_handlers_translate_and_nothing_else(primaries: ModuleType) -> None:
    for handler in primaries.REGISTRY._watching.get_all_handlers():
        assert len(inspect.getsource(handler.fn).splitlines()) <= LONGEST_HANDLER


def test_kopf_brings_no_peering_no_events_and_no_scans() -> None:
    settings = watching.kopf_settings()
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.watching.inactivity_timeout <= 75
