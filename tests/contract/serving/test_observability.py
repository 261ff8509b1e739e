"""What operators see: metrics by arm and analysis bucket, and a JSON line for each error."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade_serving.artefact import locate
from tests.contract.serving.server_process import Server


def item(number: int) -> dict[str, object]:
    return {"name": "item", "shape": [1], "datatype": "INT64", "data": [number]}


def test_requests_errors_rejections_and_empty_answers_by_assignment(server: Server) -> None:
    headers = {"x-arm": "candidate", "x-abucket": "17"}
    for number in (0, 1, 2, 3, 9):
        server.infer("lookup", item(number), headers)
    server.infer("lookup", {}, headers)
    counts = {
        name: server.metric(f"crossfade_serving_{name}_total", arm="candidate", abucket="17")
        for name in ("requests", "errors", "rejected_requests", "empty_results")
    }
    assert counts == {"requests": 6.0, "errors": 1.0, "rejected_requests": 1.0, "empty_results": 1.0}
    assert server.metric("crossfade_serving_request_duration_seconds_count", arm="candidate") == 6.0


def test_invented_assignments_make_no_series(server: Server) -> None:
    labels = {"arm": "none", "abucket": "none"}
    before = server.metric("crossfade_serving_requests_total", **labels) or 0.0
    for number in range(20):
        server.infer("lookup", item(1), {"x-arm": f"arm-{number}", "x-abucket": f"b{number}"})
    assert server.metric("crossfade_serving_requests_total", **labels) == before + 20
    assert "arm-1" not in server.http.get("/metrics").text


def test_outcomes_by_assignment(server: Server) -> None:
    headers = {"x-arm": "new-ranker.treatment", "x-abucket": "17"}
    answers = [server.http.post("/v1/outcomes", content=body, headers=headers) for body in (b'{"plays": 3}', b"3")]
    assert [answer.status_code for answer in answers] == [204, 400]
    assert answers[0].content == b""
    assert "not a session" in answers[1].json()["error"]
    counts = {
        name: server.metric(f"crossfade_serving_{name}_total", arm="new-ranker.treatment", abucket="17")
        for name in ("sessions", "plays", "rejected_outcomes", "requests")
    }
    assert counts == {"sessions": 1.0, "plays": 3.0, "rejected_outcomes": 1.0, "requests": None}


@pytest.mark.parametrize("body", [b"{" * 100_000, b"\xff", b'{"plays": 1e999}'], ids=["long", "no-text", "infinite"])
def test_no_report_disturbs_inference(server: Server, body: bytes) -> None:
    response = server.http.post("/v1/outcomes", content=body)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert server.infer("lookup", item(1)).status_code == 200
    assert server.http.get("/v1/outcomes").status_code == 405


def test_the_model_and_its_digest_are_a_metric(server: Server, lookup_model: Path) -> None:
    labels = {"model": "lookup", "version": "7", "digest": locate(lookup_model).digest}
    assert server.metric("crossfade_serving_model_info", **labels) == 1.0
    assert server.metric("crossfade_serving_ready") == 1.0
    assert server.metric("crossfade_serving_requests_in_flight") == 0.0


def test_an_error_is_one_json_line_with_the_assignment(server: Server, lookup_model: Path) -> None:
    server.infer("lookup", item(9), {"x-arm": "candidate", "x-abucket": "4", "x-request-id": "error-line"})
    while (line := server.process.wait_for("inference failed"))["request_id"] != "error-line":
        pass
    assert line["level"] == "error"
    assert "idx=9" in line["error"]
    expected = {"status": 500, "arm": "candidate", "abucket": "4", "model": "lookup", "version": "7"}
    assert {key: line[key] for key in expected} == expected
    assert line["digest"] == locate(lookup_model).digest
    mine = [other for other in server.process.lines if other.get("request_id") == "error-line"]
    assert mine == [line]


def test_all_of_the_log_is_json(server: Server) -> None:
    server.infer("lookup", item(9), {"x-request-id": "last"})
    while server.process.wait_for("inference failed")["request_id"] != "last":
        pass
    assert len(server.process.raw) == len(server.process.lines)
