"""Generated files are committed as they would be generated now."""

from pathlib import Path

import pytest
import yaml

from dev.generate import __main__ as generate
from dev.generate import crds, reference


def test_nothing_is_stale() -> None:
    assert not generate.stale(generate.ROOT), "run `make generate` and commit what it writes"


def test_a_missing_and_a_changed_file_are_stale(tmp_path: Path) -> None:
    for path, text in {**crds.files(), **reference.files()}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "crds/metrics.yaml").unlink()
    (tmp_path / reference.PATH).write_text("old")
    ours = {tmp_path / "crds/metrics.yaml", tmp_path / reference.PATH}
    assert ours <= set(generate.stale(tmp_path))
    assert tmp_path / "crds/modelrollouts.yaml" not in generate.stale(tmp_path)


def test_it_writes_what_it_misses_and_then_has_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert generate.main() == 1
    assert "stale: crds/metrics.yaml" in capsys.readouterr().out
    assert not (tmp_path / "crds").exists()
    monkeypatch.setattr("sys.argv", ["generate"])
    assert generate.main() == 0
    assert "written: crds/metrics.yaml" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert generate.main() == 0


def test_the_chart_gets_the_same_definitions() -> None:
    written = crds.files()
    assert {path.removeprefix("charts/crossfade/"): text for path, text in written.items()} == {
        path: text for path, text in written.items() if path.startswith("crds/")
    }


def test_yaml_has_neither_anchors_nor_aliases() -> None:
    shared = ["a"]
    text = crds.to_yaml({"one": shared, "two": shared})
    assert "&" not in text
    assert yaml.safe_load(text) == {"one": ["a"], "two": ["a"]}


def test_the_reference_has_a_row_for_each_field_and_escapes_its_table() -> None:
    page = reference.files()[reference.PATH]
    assert "| `strategy.steps[].hold` | string | `10m` |" in page
    assert "| `endpoint` | string | required |" in page
    assert "Hold \\| Rollback" in page
    assert "- `spec.strategy.steps`: put mirror steps before all others" in page
    assert "- `spec.strategy.analysis`: alpha, beta and metrics cannot be changed" in page
