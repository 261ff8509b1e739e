"""The learning controller as a process on a real API server, from a draft to a Decision, and what it leaves behind."""

from __future__ import annotations

import copy
import signal
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.cluster.rig import endpoint, rollout
from tests.integration.handlers.learning.conftest import Lab
from tests.integration.handlers.serving.processes import eventually
from tests.scenario.learning import analyst as scripted
from tests.scenario.learning import world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

FAST = {"analysis": {"interval": "5s"}, "minRuntime": "5s", "maxRuntime": "1h"}
SECOND_ARM = {**world.TREATMENT, "replicas": 1}


def experiment(lab: Lab, **spec: Any) -> dict[str, Any]:
    control = {"name": "control", "role": "Control", "template": world.template("v1")}
    made = world.experiment(design={"arms": [control, SECOND_ARM], **FAST}, **spec)
    return {**made, "metadata": {**made["metadata"], "namespace": lab.site.namespace}}


def metric(lab: Lab) -> dict[str, Any]:
    made = copy.deepcopy(world.metric())
    return {**made, "metadata": {**made["metadata"], "namespace": lab.site.namespace}}


async def created(lab: Lab, **spec: Any) -> None:
    await lab.site.create(endpoint(lab.site.namespace), metric(lab), experiment(lab, **spec))


async def read(lab: Lab) -> dict[str, Any]:
    found = await lab.site.read(lab.site.path("experiments", "two-tower"))
    assert found is not None
    return dict(found)


async def in_phase(lab: Lab, phase: str, within: float = 90.0) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        found = await read(lab)
        status = found.get("status", {})
        if status.get("phase") == phase and not status.get("pending"):
            return found
        return None

    found: dict[str, Any] = await eventually(f"phase {phase}", there, within)
    return found


async def edit(lab: Lab, **spec: Any) -> None:
    await lab.site.api.request(
        "PATCH",
        lab.site.path("experiments", "two-tower"),
        body={"spec": spec},
        content_type="application/merge-patch+json",
    )


async def decisions(lab: Lab) -> list[str]:
    found = await lab.site.read(lab.site.path("decisions"))
    assert found is not None
    return [item["spec"]["action"] for item in sorted(found["items"], key=lambda item: item["metadata"]["name"])]


async def arms(lab: Lab) -> list[str]:
    return [name for name in await lab.site.deployments() if name.startswith("two-tower")]


async def test_an_experiment_runs_to_a_ship_and_leaves_nothing_but_records(lab: Lab) -> None:
    lab.analyzer.judge = scripted.better
    await lab.site.leading("one")
    await created(lab)
    await in_phase(lab, "Running")
    assert len(await arms(lab)) == 2

    async def last_look() -> bool:
        return bool((await read(lab))["status"].get("final"))

    await eventually("the last look", last_look)
    await edit(lab, decision={"action": "Ship", "by": "ana", "rationale": "it is better"})
    found = await in_phase(lab, "Decided")
    assert await decisions(lab) == ["Run", "Stop", "Ship"]
    assert not {"finalizers", "annotations"} & set(found["metadata"]), found["metadata"]
    ship = await lab.site.read(lab.site.path("decisions", found["status"]["decision"]))
    assert ship is not None
    assert ship["spec"]["subject"]["modelDigest"] == found["status"]["arms"][1]["modelDigest"]
    assert "ownerReferences" not in ship["metadata"]

    async def no_arms() -> bool:
        return await arms(lab) == []

    await eventually("the arms are gone", no_arms)
    await lab.site.api.request("DELETE", lab.site.path("experiments", "two-tower"))
    left = await lab.site.read(f"/apis/apps/v1/namespaces/{lab.site.namespace}/controllerrevisions")
    assert left is not None
    assert [item["metadata"]["name"] for item in left["items"] if "two-tower" in item["metadata"]["name"]] == []


async def test_an_experiment_that_is_deleted_and_made_again_numbers_its_decisions_on(lab: Lab) -> None:
    await lab.site.leading("one")
    await created(lab)
    former = await in_phase(lab, "Running")
    assert former["metadata"]["finalizers"] == ["crossfade.dev/users-in-arms"]
    await lab.site.api.request("DELETE", lab.site.path("experiments", "two-tower"))

    async def gone() -> bool:
        return await lab.site.read(lab.site.path("experiments", "two-tower")) is None

    await eventually("the experiment to go, once its users are out of its arms", gone)
    await lab.site.create(experiment(lab))
    present = await in_phase(lab, "Running")
    made = [await lab.site.read(lab.site.path("decisions", f"two-tower-exp-{number:06d}")) for number in (1, 2, 3)]
    found = [(one["spec"]["action"], one["spec"]["subject"]["uid"]) for one in made if one is not None]
    was, now = former["metadata"]["uid"], present["metadata"]["uid"]
    assert found == [("Run", was), ("Stop", was), ("Run", now)]


async def test_a_metric_of_a_rollout_gets_its_status_and_its_revisions(lab: Lab) -> None:
    await lab.site.leading("one")
    await lab.site.create(endpoint(lab.site.namespace), rollout(lab.site.namespace, "ranker"), metric(lab))

    async def ready() -> str | None:
        seen = await lab.site.read(lab.site.path("metrics", "plays"))
        conditions = (seen or {}).get("status", {}).get("conditions", [])
        return next((one["reason"] for one in conditions if one["type"] == "Ready"), None)

    assert await eventually("the Metric's status", ready) == "ContractHolds"
    await lab.site.api.request(
        "PATCH",
        lab.site.path("metrics", "plays"),
        body={"spec": {"freshness": "2m"}},
        content_type="application/merge-patch+json",
    )
    records = f"/apis/apps/v1/namespaces/{lab.site.namespace}/controllerrevisions"

    async def both() -> list[str]:
        found = await lab.site.read(records)
        kept = [item["data"]["spec"]["freshness"] for item in (found or {}).get("items", []) if "spec" in item["data"]]
        return sorted(kept) if len(kept) == 2 else []

    assert await eventually("both revisions", both) == ["1m", "2m"]


async def test_an_invalid_template_is_shown_with_the_servers_sentence(lab: Lab) -> None:
    await lab.site.leading("one")
    await created(lab)
    broken = {**world.TREATMENT, "name": "broken", "template": world.template("")}
    made = experiment(lab)
    made["metadata"]["name"] = "bad"
    made["spec"]["design"]["arms"][1] = broken
    await lab.site.create(made)

    async def refused() -> str | None:
        found = await lab.site.read(lab.site.path("experiments", "bad"))
        status = (found or {}).get("status", {})
        return status.get("message") if status.get("reason") == "ArmsRefused" else None

    assert "image" in await eventually("the refusal", refused)
    await in_phase(lab, "Running")


async def test_killed_in_mid_run_another_goes_on_with_the_evidence(lab: Lab) -> None:
    one = await lab.site.leading("one")
    await lab.site.start("two")
    await created(lab)
    began = (await in_phase(lab, "Running"))["status"]["startedAt"]

    async def windows() -> int:
        return int((await read(lab))["status"].get("windows", 0))

    await eventually("a window", windows)
    one.send(signal.SIGKILL)
    await one.ended()
    before = await windows()

    async def more() -> bool:
        return await windows() > before

    await eventually("more windows", more)
    found = await read(lab)
    assert (found["status"]["startedAt"], found["status"]["phase"]) == (began, "Running")
    assert await decisions(lab) == ["Run"]


async def test_a_swapped_image_makes_the_run_invalid(lab: Lab) -> None:
    await lab.site.leading("one")
    await created(lab)
    await in_phase(lab, "Running")
    lab.others.images["treatment"] = "b" * 64
    found = await in_phase(lab, "Invalid")
    assert found["status"]["reason"] == "ModelChanged"
    assert await decisions(lab) == ["Run", "Invalidate"]


async def test_one_that_stands_by_writes_nothing(lab: Lab) -> None:
    await lab.site.leading("one")
    two = await lab.site.start("two")
    await created(lab)
    await in_phase(lab, "Running")
    assert not await two.leads()
    assert await two.writes() == 0
    assert await lab.site.holder() == "one"


async def test_a_record_whose_time_is_over_is_labelled_and_nothing_else(lab: Lab) -> None:
    lab.analyzer.judge = scripted.worse
    made = endpoint(lab.site.namespace)
    made["spec"]["policy"] = {"retention": "1s"}
    one = await lab.site.leading("one")
    await lab.site.create(made, metric(lab), experiment(lab))
    await in_phase(lab, "Stopped")

    async def over() -> bool:
        found = await lab.site.read(lab.site.path("decisions"))
        ends = [datetime.fromisoformat(item["spec"]["retainUntil"]) for item in (found or {}).get("items", [])]
        return bool(ends) and max(ends) < datetime.now(UTC)

    await eventually("the time of every record is over", over)
    one.send(signal.SIGTERM)
    assert await one.ended() == 0, one.log.read_text()
    before = await lab.site.read(lab.site.path("decisions"))
    await lab.site.leading("another")

    async def labelled() -> bool:
        found = await lab.site.read(lab.site.path("decisions"))
        labels = [item["metadata"].get("labels", {}) for item in (found or {}).get("items", [])]
        return bool(labels) and all(one.get("crossfade.dev/retention") == "Expired" for one in labels)

    await eventually("the labels", labelled)
    after = await lab.site.read(lab.site.path("decisions"))
    assert before is not None
    assert after is not None
    assert [item["spec"] for item in before["items"]] == [item["spec"] for item in after["items"]]
