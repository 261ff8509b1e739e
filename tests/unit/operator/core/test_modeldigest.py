from typing import Any

import pytest

from crossfade_operator.core.modeldigest import MixedImages, model_digest


def container(**changes: Any) -> dict[str, Any]:
    return {"name": "model", "image": "r/ranker:1", "env": [{"name": "MODEL", "value": "/m"}], **changes}


def template(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers or (container(),)), **spec}}


def pod(image_id: str = "sha256:01", *, name: str = "model", ready: bool = True) -> dict[str, Any]:
    status = {"containerStatuses": [{"name": name, "imageID": image_id}]}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": {}, "status": {**status, "conditions": conditions}}


SAME = model_digest(template(), [pod()])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(template(container(resources={"limits": {"cpu": "1"}})), id="resources"),
        pytest.param(template(container(readinessProbe={"httpGet": {"path": "/"}})), id="a probe"),
        pytest.param(template(container(image="mirror/ranker:2")), id="another tag of the same image"),
        pytest.param(template(container(args=[])), id="no arguments, written out"),
        pytest.param(template() | {"metadata": {"labels": {"a": "b"}}}, id="labels"),
        pytest.param(template(nodeSelector={"gpu": "yes"}), id="where it runs"),
    ],
)
def test_the_same_model(other: dict[str, Any]) -> None:
    assert SAME is not None
    assert model_digest(other, [pod()]) == SAME


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(template(container(env=[{"name": "MODEL", "value": "/n"}])), id="environment"),
        pytest.param(template(container(args=["--model", "b"])), id="arguments"),
        pytest.param(template(container(command=["serve"])), id="command"),
        pytest.param(template(container(volumeMounts=[{"name": "v", "mountPath": "/m"}])), id="mounts"),
        pytest.param(template(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "b"}}]), id="volumes"),
    ],
)
def test_another_model(other: dict[str, Any]) -> None:
    assert model_digest(other, [pod()]) not in (None, SAME)


def test_a_tag_that_moved_is_another_model() -> None:
    assert model_digest(template(), [pod("sha256:02")]) not in (None, SAME)


def test_where_an_image_was_pulled_from_does_not_matter() -> None:
    assert model_digest(template(), [pod("docker-pullable://r/ranker@sha256:01")]) == SAME


def test_nothing_is_known_before_a_ready_pod_says_what_it_runs() -> None:
    assert model_digest(template(), []) is None
    assert model_digest(template(), [pod(ready=False)]) is None
    assert model_digest(template(), [pod("")]) is None


def test_containers_that_others_put_into_the_pods_do_not_count() -> None:
    with_sidecar = pod()
    with_sidecar["status"]["containerStatuses"].append({"name": "proxy", "imageID": "sha256:99"})
    assert model_digest(template(), [with_sidecar]) == SAME


def test_pods_that_run_different_images_are_no_one_model() -> None:
    with pytest.raises(MixedImages, match="container model: sha256:01, sha256:02"):
        model_digest(template(), [pod(), pod("sha256:02")])
