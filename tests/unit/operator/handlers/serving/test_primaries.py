"""What kopf is asked to do, and above all what it is not."""

from __future__ import annotations

import inspect

from kopf._core.intents.causes import Activity

from crossfade_operator.api.meta import GROUP
from crossfade_operator.handlers.serving import primaries, watching

LONGEST_HANDLER = 15


def test_the_three_kinds_are_watched_and_nothing_else() -> None:
    watched = primaries.REGISTRY._watching.get_all_handlers()
    found = {(handler.selector.group, handler.selector.plural or handler.selector.any_name) for handler in watched}
    assert found == {(GROUP, "modelendpoints"), (GROUP, "modelrollouts"), (GROUP, "metrics")}


def test_no_handler_makes_kopf_write_to_anybodys_object() -> None:
    registry = primaries.REGISTRY
    writing = (registry._changing, registry._spawning, registry._webhooks, registry._indexing)
    assert [handler for part in writing for handler in part.get_all_handlers()] == []


def test_kopf_logs_in_by_our_client_alone() -> None:
    logins = [
        one for one in primaries.REGISTRY._activities.get_all_handlers() if one.activity is Activity.AUTHENTICATION
    ]
    assert [handler.fn for handler in logins] == [primaries.login]


def test_handlers_translate_and_nothing_else() -> None:
    for handler in primaries.REGISTRY._watching.get_all_handlers():
        assert len(inspect.getsource(handler.fn).splitlines()) <= LONGEST_HANDLER


def test_kopf_brings_no_peering_no_events_and_no_scans() -> None:
    settings = watching.kopf_settings()
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.watching.inactivity_timeout <= 75
