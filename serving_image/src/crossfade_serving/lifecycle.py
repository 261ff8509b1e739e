"""The server's life: starting → ready → draining. It only ever moves forward.

=========  =========================  ==========================================
phase      readiness probe            inference requests
=========  =========================  ==========================================
starting   fails                      refused (503 / UNAVAILABLE)
ready      succeeds                   answered
draining   fails, so that no new      answered, and the HTTP connection is closed
           ones are sent here         after the answer, so that clients move on
=========  =========================  ==========================================
"""

from __future__ import annotations

from enum import IntEnum

from crossfade_serving import __version__
from crossfade_serving.kserve_sdk import DataPlane, ModelNotFound, ModelNotReady, ModelRepository
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.model import PLATFORM, Identity, OnnxModel


class Phase(IntEnum):
    """Where in its life the server is."""

    STARTING = 0
    READY = 1
    DRAINING = 2


class Lifecycle:
    """Keeps the phase and shows it as a metric."""

    def __init__(self, metrics: ServingMetrics) -> None:
        self._metrics = metrics
        self.phase = Phase.STARTING

    @property
    def ready(self) -> bool:
        """Whether the readiness probe succeeds."""
        return self.phase is Phase.READY

    @property
    def draining(self) -> bool:
        """Whether clients should move on."""
        return self.phase is Phase.DRAINING

    def advance(self, phase: Phase) -> None:
        """Enter a later phase.

        Raises:
            ValueError: the phase has been left already.
        """
        if phase <= self.phase:
            raise ValueError(f"the server is {self.phase.name}, it cannot become {phase.name} again")
        self.phase = phase
        self._metrics.ready.set(self.ready)


class ServingDataPlane(DataPlane):  # type: ignore[misc]
    """KServe's data plane for one model, whose readiness follows the lifecycle."""

    def __init__(self, name: str, lifecycle: Lifecycle) -> None:
        super().__init__(ModelRepository())
        self._name = name
        self._lifecycle = lifecycle
        self._model: OnnxModel | None = None

    def serve(self, model: OnnxModel) -> None:
        """Make the loaded model known."""
        self._model = model
        self.model_registry.update(model)

    def model(self, name: str, version: str | None = None) -> OnnxModel:
        """Return the model of this name and, if given, this version.

        Raises:
            ModelNotFound: another model or version is served here.
            ModelNotReady: the model is still being loaded.
        """
        if name != self._name:
            raise ModelNotFound(name)
        if self._model is None or self._lifecycle.phase is Phase.STARTING:
            raise ModelNotReady(name, "It is being loaded.")
        if version and version != self._model.identity.version:
            raise ModelNotFound(f"{name} and version {version}")
        return self._model

    @property
    def served(self) -> Identity | None:
        """Which model is served; ``None`` while it is being loaded."""
        return self._model.identity if self._model else None

    async def ready(self) -> bool:
        """Whether requests should be sent here."""
        return self._lifecycle.ready

    async def model_ready(self, model_name: str, disable_predictor_health_check: bool = False) -> bool:
        """Whether requests for this model should be sent here."""
        if model_name != self._name:
            raise ModelNotFound(model_name)
        return self._lifecycle.ready

    def metadata(self) -> dict[str, object]:
        """Return the protocol's metadata of the server."""
        return {"name": "crossfade-serving", "version": __version__, "extensions": ["binary_tensor_data"]}

    async def model_metadata(self, model_name: str) -> dict[str, object]:
        """Return the protocol's metadata of the model."""
        model = self.model(model_name)
        metadata: dict[str, object] = await super().model_metadata(model_name)
        return metadata | {"platform": PLATFORM, "versions": [model.identity.version]}
