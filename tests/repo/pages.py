"""The pages people read, and what is in them to be tried: links, blocks, commands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown file of the repository, relative to its root."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(map(Path, listed.splitlines())))


def text_of(page: Path) -> str:
    return (ROOT / page).read_text()


def blocks(page: Path, language: str) -> tuple[str, ...]:
    return tuple(found["text"] for found in _BLOCK.finditer(text_of(page)) if found["language"] == language)


def prose(page: Path) -> str:
    """The page without its blocks."""
    return _BLOCK.sub("", text_of(page))


def links(page: Path) -> tuple[str, ...]:
    """Where the page leads to within the repository: `path`, `path#anchor` or `#anchor`."""
    found = _LINK.findall(_CODE.sub("", prose(page)))
    return tuple(one for one in found if not re.match(r"[a-z]+:", one))


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives the page's headings."""
    seen: dict[str, int] = {}
    found = set()
    for heading in _HEADING.findall(prose(page)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        again = seen.get(slug, 0)
        seen[slug] = again + 1
        found.add(f"{slug}-{again}" if again else slug)
    return found


def commands(page: Path) -> Iterator[str]:
    """The lines of the page's shell blocks, continued ones joined."""
    for block in blocks(page, "sh"):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines())


def mentions(page: Path) -> tuple[str, ...]:
    """What the page's sentences show as code."""
    return tuple(_CODE.findall(prose(page)))
