"""What the pages point at is there: links, anchors, targets, modules, commands of the plugin, values of the chart."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from crossfade_operator.cli.main import _parser
from tests.repo.pages import ROOT, anchors, commands, links, mentions, pages

_TARGETS = re.compile(r"^([a-z][a-z -]*):(?!=)", re.MULTILINE)


def _all(found: Any) -> list[Any]:
    """Each thing that is found on a page, with the page, once."""
    pairs = dict.fromkeys((page, one) for page in pages() for one in found(page))
    return [pytest.param(page, one, id=f"{page}: {one}"[:90]) for page, one in pairs]


def _starting(*words: str) -> list[Any]:
    """Commands in blocks, and in sentences too, that start so."""
    prefix = " ".join(words) + " "
    return _all(lambda page: (line for line in [*commands(page), *mentions(page)] if f"{line} ".startswith(prefix)))


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.relative_to(ROOT))):
            lost.append(link)
    assert not lost, f"{page} links to what is not there: {', '.join(lost)}"


@pytest.mark.parametrize(("page", "line"), _starting("make"))
def test_make_has_the_target(page: Path, line: str) -> None:
    files = [ROOT / "Makefile", *(ROOT / "dev" / "make").glob("*.mk")]
    targets = set(" ".join(name for file in files for name in _TARGETS.findall(file.read_text())).split())
    asked = [word for word in shlex.split(line, comments=True)[1:] if "=" not in word]
    assert set(asked) <= targets, f"{page}: no such target among {line!r}"


def _modules(page: Path) -> list[str]:
    return re.findall(r"python3? -m ([a-z_.]+[a-z_])", "\n".join([*commands(page), *mentions(page)]))


@pytest.mark.parametrize(("page", "module"), _all(_modules))
def test_python_has_the_module(page: Path, module: str) -> None:
    found = importlib.util.find_spec(module)
    assert found is not None, f"{page}: there is no module {module}"
    if found.submodule_search_locations is not None:
        assert importlib.util.find_spec(f"{module}.__main__"), f"{page}: {module} cannot be run"


@pytest.mark.parametrize(("page", "line"), _all(lambda page: [c for c in commands(page) if "kubectl crossfade" in c]))
def test_the_plugin_takes_the_line(page: Path, line: str) -> None:
    words = shlex.split(line, comments=True)
    assert words[:2] == ["kubectl", "crossfade"], f"{page}: begin {line!r} with the command, so that it can be tried"
    assert callable(_parser().parse_args(words[2:]).command)


@pytest.mark.parametrize(
    ("page", "line"), _all(lambda page: [m for m in mentions(page) if m.startswith("kubectl crossfade ")])
)
def test_the_plugin_has_the_verb(page: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    verb = shlex.split(line)[2]
    with pytest.raises(SystemExit) as ended:
        _parser().parse_args([verb, "--help"])
    assert ended.value.code == 0, f"{page}: {capsys.readouterr().err}"


def _described(schema: dict[str, Any], path: list[str]) -> bool:
    """Whether the chart's schema knows a value by this path."""
    for key in path:
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", False))
        if inner is True:
            return True
        if not inner:
            return key == path[-1] and "properties" not in schema and schema.get("type") == "object"
        schema = inner
        while "$ref" in schema:
            schema = _referred(schema["$ref"])
    return True


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((ROOT / "charts/crossfade/values.schema.json").read_text())
    return schema


def _referred(reference: str) -> dict[str, Any]:
    found: Any = _schema()
    for key in reference.removeprefix("#/").split("/"):
        found = found[key]
    named: dict[str, Any] = found
    return named


def _values(page: Path) -> list[str]:
    lines = "\n".join([*commands(page), *mentions(page)])
    return re.findall(r"--set(?:-string)? ([\w.]+)=", lines)


@pytest.mark.parametrize(("page", "value"), _all(_values))
def test_the_chart_has_the_value(page: Path, value: str) -> None:
    assert _described(_schema(), value.split(".")), f"{page}: the chart has no value {value}"


def _files(page: Path) -> list[str]:
    lines = "\n".join([*commands(page), *mentions(page)])
    return re.findall(r"(?<![\w/.-])((?:examples|charts|crds|benchmarks|dev)/[\w./-]*\w)", lines)


@pytest.mark.parametrize(("page", "file"), _all(_files))
def test_a_named_file_is_there(page: Path, file: str) -> None:
    assert (ROOT / file).exists(), f"{page}: there is no {file}"


def test_every_design_decision_is_in_the_index_and_none_twice() -> None:
    adrs = [page.name for page in pages() if page.parent == Path("docs/adr") and page.name != "README.md"]
    assert sorted(links(Path("docs/adr/README.md"))) == adrs
