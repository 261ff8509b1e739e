"""The analyzer, asked through the API server's service proxy: nothing of it is exposed to the outside."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from crossfade_analyzer.contract import (
    VERSION,
    EvidenceFile,
    ExperimentPlan,
    ExperimentPlanRequest,
    HoldoutReading,
    HoldoutRequest,
    Verification,
)
from crossfade_analyzer.contract import VerificationRequest as Question
from crossfade_operator.cli.client import Cluster, Refused
from crossfade_operator.cli.problem import Problem

Answer = TypeVar("Answer", bound=BaseModel)


class Analyzer:
    """The cluster's analyzer: the one that is named as NAMESPACE/NAME of its Service, else the only one there is."""

    def __init__(self, cluster: Cluster, service: str | None = None) -> None:
        self._cluster = cluster
        self.service = service or _only(cluster.analyzers())

    def plan(self, question: ExperimentPlanRequest) -> ExperimentPlan:
        """What an experiment would take. Raises `Problem`."""
        return self._ask("POST", "experiments/plans", ExperimentPlan, question)

    def holdout(self, question: HoldoutRequest) -> HoldoutReading:
        """What a holdout says. Raises `Problem`."""
        return self._ask("POST", "holdouts/readings", HoldoutReading, question)

    def verify(self, digest: str) -> Verification:
        """Recomputed from stored evidence. Raises `Problem`."""
        return self._ask("POST", "verifications", Verification, Question(digest=digest))

    def evidence(self, digest: str) -> EvidenceFile:
        """All evidence up to a digest. Raises `Problem`."""
        return self._ask("GET", f"evidence/{digest}", EvidenceFile)

    def _ask(self, method: str, path: str, expected: type[Answer], question: BaseModel | None = None) -> Answer:
        body = question.model_dump(mode="json", by_alias=True, exclude_none=True) if question else None
        try:
            return expected.model_validate(self._cluster.ask(self.service, method, f"/{VERSION}/{path}", body))
        except Refused as refused:
            raise Problem(f"the analyzer {self.service} answered {refused.status}: {refused}") from refused
        except ValidationError as error:
            raise Problem(
                f"the analyzer {self.service} speaks another version of the contract: {_first(error)}",
                "use the plugin of the release that the cluster runs",
            ) from error


def _only(services: list[str]) -> str:
    if len(services) == 1:
        return services[0]
    if services:
        raise Problem(
            f"the cluster has more than one analyzer: {', '.join(services)}.", "choose with --analyzer NAMESPACE/NAME"
        )
    raise Problem(
        "no analyzer was found: no Service is labelled app.kubernetes.io/part-of=crossfade and "
        "app.kubernetes.io/component=analyzer.",
        "install it (docs/install.md), or name its Service with --analyzer NAMESPACE/NAME",
    )


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    return f"{where}: {first['msg']}"
