from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from crossfade_operator.api.modelendpoint import ModelEndpointSpec

UNIT = {"header": "x-user-id"}


def spec(**changes: Any) -> ModelEndpointSpec:
    return ModelEndpointSpec.model_validate({"unit": UNIT} | changes)


def test_a_unit_is_enough() -> None:
    assert spec().manifest() == {
        "unit": {"header": "x-user-id"},
        "router": {
            "type": "Envoy",
            "replicas": 2,
            "latencyBounds": ["5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2500ms"],
            "requestTimeout": "60s",
            "testers": "Disabled",
        },
        "policy": {
            "stableFloor": "5%",
            "maxExperimentSlice": "50%",
            "coolDown": "24h",
            "unprovenSlice": "5%",
            "gates": {"experiment": "NotRequired", "approvals": 0},
            "evaluation": {"mirror": "NotRequired", "guardrails": [], "minHold": "0s", "minRuntime": "0s"},
            "reviews": {
                "approvals": 0,
                "ownApproval": "DoesNotCount",
                "overrideApprovals": 1,
                "deliberation": "0s",
            },
            "shipValidity": "30d",
            "retention": "730d",
        },
    }


def test_what_is_written_comes_out_as_it_was_written() -> None:
    written = {
        "owner": "team-ranking",
        "unit": {"cookie": "uid"},
        "salt": "ranker-2026q4",
        "router": {
            "type": "Envoy",
            "replicas": 3,
            "image": "registry.example.com/envoy:1.40",
            "resources": {"limits": {"cpu": "1"}},
            "latencyBounds": ["10ms", "1s"],
            "requestTimeout": "10s",
            "tryTimeout": "5s",
            "healthPath": "/v2/health/ready",
            "rewardHeader": "x-reward",
            "testers": "Enabled",
        },
        "holdout": {"slice": "1%", "until": "2027-01-01T00:00:00.000000Z"},
        "policy": {
            "stableFloor": "50%",
            "maxExperimentSlice": "20%",
            "coolDown": "7d",
            "unprovenSlice": "1%",
            "gates": {"experiment": "Required", "approvals": 2},
            "evaluation": {"mirror": "Required", "guardrails": ["plays"], "minHold": "2h", "minRuntime": "14d"},
            "reviews": {"approvals": 1, "ownApproval": "Counts", "overrideApprovals": 2, "deliberation": "2d"},
            "shipValidity": "14d",
            "retention": "3650d",
        },
    }
    assert ModelEndpointSpec.model_validate(written).manifest() == written


def test_a_holdout_ends_at_a_time() -> None:
    holdout = spec(holdout={"slice": "1%", "until": "2027-01-01T01:00:00+01:00"}).holdout
    assert holdout is not None
    assert holdout.until == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"unit": {}}, "exactly one of header and cookie", id="no unit"),
        pytest.param({"unit": {"header": "a", "cookie": "b"}}, "exactly one of header and cookie", id="two units"),
        pytest.param({"unit": {"header": "X-Arm"}}, "a header of your own", id="the router's header as unit"),
        pytest.param({"unit": {"header": "x-crossfade-arm"}}, "a header of your own", id="the testers' header"),
        pytest.param({"unit": {"header": "user id"}}, "must be a header name", id="blank in a header"),
        pytest.param({"unit": {"cookie": "a=b"}}, "must be a cookie name", id="a cookie with a value"),
        pytest.param({"salt": ""}, "1 to 64 letters", id="empty salt"),
        pytest.param({"owner": " team"}, "not blank at its ends", id="blank owner"),
        pytest.param({"router": {"type": "Nginx"}}, "'Envoy'", id="unknown router"),
        pytest.param({"router": {"replicas": 0}}, "greater than or equal to 1", id="no router"),
        pytest.param({"router": {"replicas": 21}}, "less than or equal to 20", id="too many routers"),
        pytest.param({"router": {"replicas": "2"}}, "valid integer", id="a number as a string"),
        pytest.param({"router": {"latencyBounds": ["10ms", "5ms"]}}, "must increase strictly", id="falling bounds"),
        pytest.param({"router": {"latencyBounds": ["1s", "1000ms"]}}, "must increase strictly", id="equal bounds"),
        pytest.param({"router": {"latencyBounds": []}}, "at least 1 item", id="no bounds"),
        pytest.param({"router": {"latencyBounds": ["1m"]}}, "above 0 in ms or s", id="bounds in minutes"),
        pytest.param({"router": {"tryTimeout": "61s"}}, "not be longer than requestTimeout", id="a try beyond all"),
        pytest.param({"router": {"healthPath": "ready"}}, "must be an absolute path", id="relative path"),
        pytest.param({"router": {"rewardHeader": "x-envoy-x"}}, "a header of your own", id="Envoy's header as reward"),
        pytest.param({"router": {"image": "a b"}}, "without blanks", id="blank in an image"),
        pytest.param({"router": {"testers": "Yes"}}, "'Enabled' or 'Disabled'", id="unknown value for testers"),
        pytest.param({"holdout": {"slice": "1%"}}, "until", id="endless holdout"),
        pytest.param({"holdout": {"slice": "1%", "until": "2027-01-01"}}, "date and time with a zone", id="a day"),
        pytest.param({"holdout": {"slice": "1%", "until": 0}}, "date and time with a zone", id="a number as a time"),
        pytest.param({"policy": {"stableFloor": "0.55%"}}, "multiple of 0.1%", id="floor between positions"),
        pytest.param({"gates": {}}, "Extra inputs", id="unknown field"),
    ],
)
def test_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(**changes)
