from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from crossfade_operator.api.podtemplate import PodTemplate

HTTP = {"name": "http", "containerPort": 8080}
GRPC = {"name": "grpc", "containerPort": 8081}


def template(*containers: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": metadata, "spec": {"containers": list(containers)}}


def container(*ports: dict[str, Any], name: str = "model", **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": "example.com/model:1", "ports": list(ports), **fields}


def test_the_ports_are_found_in_whichever_container_has_them() -> None:
    found = PodTemplate.model_validate(template(container(HTTP), container(GRPC, name="sidecar")))
    assert (found.http_port, found.grpc_port) == (8080, 8081)


def test_grpc_is_optional() -> None:
    assert PodTemplate.model_validate(template(container(HTTP))).grpc_port is None


WORDS = st.text(alphabet="abc/.-", max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=10,
)


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(st.text(alphabet="pqrs", min_size=1, max_size=6), JSON, max_size=4))
def test_what_is_not_ours_is_kept_to_the_letter(extra: dict[str, Any]) -> None:
    written = template(container(HTTP | extra, **extra), annotations=extra)
    written["spec"] |= extra
    written |= extra
    assert PodTemplate.model_validate(written).manifest() == written


def test_absent_parts_stay_absent() -> None:
    written = {"spec": {"containers": [container(HTTP)]}}
    assert PodTemplate.model_validate(written).manifest() == written


@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param(template(container()), "exactly one container port http", id="no http port"),
        pytest.param(template(container(HTTP, HTTP)), "exactly one container port http", id="two http ports"),
        pytest.param(
            template(container(HTTP), container(HTTP, name="b")),
            "exactly one container port http",
            id="http ports of two containers",
        ),
        pytest.param(template(container(HTTP, GRPC, GRPC)), "at most one container port grpc", id="two grpc ports"),
        pytest.param(
            template(container(HTTP), labels={"crossfade.dev/arm": "x"}), "remove the labels", id="a label of ours"
        ),
        pytest.param(
            template(container(HTTP), labels={"app.kubernetes.io/managed-by": "Helm"}),
            "remove the labels",
            id="another manager",
        ),
        pytest.param(template(container(HTTP), container()), "a name of its own", id="two containers of one name"),
        pytest.param(template(), "at least 1 item", id="no container"),
        pytest.param({}, "spec", id="nothing"),
        pytest.param(template(container({"name": "http", "containerPort": 0})), "greater than", id="port 0"),
    ],
)
def test_refused(written: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PodTemplate.model_validate(written)
