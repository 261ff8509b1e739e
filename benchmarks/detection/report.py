"""The table in Markdown, and plots."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from math import inf
from pathlib import Path

from benchmarks.detection.play import Score


def number(value: float) -> str:
    return "never" if value == inf else f"{value:,.0f}" if value == value else "-"


def table(scores: Sequence[Score], limits: dict[str, tuple[float, float] | None]) -> str:
    """Per scenario and decider; for harmless versions only the rate of (false) rollbacks says something."""
    lines = [
        "| scenario | decider | rollbacks, % | canary requests: median | 95 % | minutes | users |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for score in scores:
        rate = f"{100 * score.rate:.1f}"
        if score.harmless:
            mark = "" if score.keeps_alpha else " (breaks alpha)"
            lines.append(f"| {score.scenario} | {score.decider} | {rate}{mark} | - | - | - | - |")
            continue
        cells = map(number, (score.requests, score.requests_95, score.minutes, score.users))
        lines.append(f"| {score.scenario} | {score.decider} | {rate} | {' | '.join(cells)} |")
    for scenario, limit in limits.items():
        if limit is not None:
            lines.append(
                f"| {scenario} | limit: independent / clustered | | {number(limit[0])} / {number(limit[1])} | | | |"
            )
    return "\n".join(lines) + "\n"


def plots(scores: Sequence[Score], limits: dict[str, tuple[float, float] | None], folder: Path) -> list[Path]:
    """Two figures, each as PNG and SVG: requests until a regression is found, and false rollbacks."""
    try:
        pyplot = importlib.import_module("matplotlib.pyplot")
    except ImportError as missing:
        raise SystemExit(
            "plots need matplotlib: uv run --with matplotlib python -m benchmarks.detection ..."
        ) from missing
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, chosen in (
        ("detection-requests", [score for score in scores if not score.harmless]),
        ("detection-false-rollbacks", [score for score in scores if score.harmless]),
    ):
        if not chosen:
            continue
        figure, axes = pyplot.subplots(figsize=(10, 0.5 + 0.55 * len({score.scenario for score in chosen})))
        (_requests if name == "detection-requests" else _rates)(axes, chosen, limits)
        figure.tight_layout()
        for suffix in ("png", "svg"):
            path = folder / f"{name}.{suffix}"
            figure.savefig(path, dpi=130, metadata={"Date": None} if suffix == "svg" else None)
            written.append(path)
        pyplot.close(figure)
    return written


def _rows(axes: object, scores: Sequence[Score]) -> dict[str, int]:
    names = list(dict.fromkeys(score.scenario for score in scores))
    rows = {name: len(names) - 1 - i for i, name in enumerate(names)}
    axes.set_yticks(list(rows.values()), list(rows))  # type: ignore[attr-defined]
    axes.grid(axis="x", alpha=0.3)  # type: ignore[attr-defined]
    return rows


def _requests(axes: object, scores: Sequence[Score], limits: dict[str, tuple[float, float] | None]) -> None:
    rows = _rows(axes, scores)
    for decider in dict.fromkeys(score.decider for score in scores):
        mine = [score for score in scores if score.decider == decider and score.requests < inf]
        style = {"s": 70, "zorder": 3} if decider == "crossfade" else {"s": 22, "alpha": 0.7}
        axes.scatter(  # type: ignore[attr-defined]
            [score.requests for score in mine], [rows[score.scenario] for score in mine], label=decider, **style
        )
    known = [(rows[name], value[1]) for name, value in limits.items() if value is not None and name in rows]
    axes.scatter(  # type: ignore[attr-defined]
        [x for _, x in known], [y for y, _ in known], marker="|", s=200, color="black", label="limit (clustered)"
    )
    axes.set_xscale("log")  # type: ignore[attr-defined]
    axes.set_xlabel("median canary requests until rollback (missing: not found in half of the rollouts)")  # type: ignore[attr-defined]
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))  # type: ignore[attr-defined]


def _rates(axes: object, scores: Sequence[Score], limits: dict[str, tuple[float, float] | None]) -> None:
    rows = _rows(axes, scores)
    for decider in dict.fromkeys(score.decider for score in scores):
        mine = [score for score in scores if score.decider == decider]
        style = {"s": 70, "zorder": 3} if decider == "crossfade" else {"s": 22, "alpha": 0.7}
        axes.scatter(  # type: ignore[attr-defined]
            [100 * score.rate for score in mine], [rows[score.scenario] for score in mine], label=decider, **style
        )
    axes.axvline(1.0, color="black", linewidth=0.8)  # type: ignore[attr-defined]
    axes.set_xlabel("harmless versions rolled back, % (line: the promised 1 %)")  # type: ignore[attr-defined]
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))  # type: ignore[attr-defined]
