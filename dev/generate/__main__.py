"""Write all generated files, or with `--check` say which are stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from dev.generate import crds, dashboard, experiment_states, metrics, openapi, reference, states

ROOT = Path(__file__).parents[2]
GENERATORS: tuple[Callable[[], dict[str, str]], ...] = (
    crds.files,
    reference.files,
    metrics.files,
    dashboard.files,
    openapi.files,
    states.files,
    experiment_states.files,
)


def stale(root: Path) -> dict[Path, str]:
    """The files whose content is not what it should be, with what it should be."""
    wanted = {root / path: text for files in GENERATORS for path, text in files().items()}
    return {path: text for path, text in wanted.items() if not path.is_file() or path.read_text() != text}


def main() -> int:
    """Returns 1 when `--check` found a stale file."""
    parser = argparse.ArgumentParser(prog="python -m dev.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    only_check = parser.parse_args().check
    changes = stale(ROOT)
    for path, text in changes.items():
        print(f"{'stale' if only_check else 'written'}: {path.relative_to(ROOT)}")
        if not only_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if only_check and changes else 0


if __name__ == "__main__":
    sys.exit(main())
