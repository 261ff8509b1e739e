"""Images of one program are what ``docker save`` would have written."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from dev.cluster.archive import write_program_image

X86_ELF = b"\x7fELF" + bytes(14) + b"\x3e\x00" + b"the program"
ARM_ELF = b"\x7fELF" + bytes(14) + b"\xb7\x00" + b"the program"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "coredns"
    path.write_bytes(X86_ELF)
    return path


def written(archive: Path, program: Path) -> dict[str, bytes]:
    write_program_image(archive, name="localhost/coredns:1", program=program, entrypoint=["/coredns"])
    with tarfile.open(archive) as content:
        return {member.name: content.extractfile(member).read() for member in content}  # type: ignore[union-attr]


def test_the_configuration_names_the_layer_by_its_digest(tmp_path: Path, program: Path) -> None:
    files = written(tmp_path / "image.tar", program)
    (manifest,) = json.loads(files["manifest.json"])
    assert manifest["RepoTags"] == ["localhost/coredns:1"]
    config = files[manifest["Config"]]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    layers = [f"sha256:{hashlib.sha256(files[name]).hexdigest()}" for name in manifest["Layers"]]
    assert json.loads(config)["rootfs"]["diff_ids"] == layers


def test_the_program_is_at_the_root_executable_and_run_by_nobody(tmp_path: Path, program: Path) -> None:
    files = written(tmp_path / "image.tar", program)
    (tmp_path / "layer.tar").write_bytes(files["layer.tar"])
    with tarfile.open(tmp_path / "layer.tar") as layer:
        (member,) = layer.getmembers()
    assert (member.name, member.mode, member.size) == ("coredns", 0o755, len(X86_ELF))
    config = json.loads(files[json.loads(files["manifest.json"])[0]["Config"]])
    assert config["config"]["User"] == "65532:65532"


def test_the_same_program_gives_the_same_bytes(tmp_path: Path, program: Path) -> None:
    for name in ("first.tar", "second.tar"):
        written(tmp_path / name, program)
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


@pytest.mark.parametrize(("content", "architecture"), [(X86_ELF, "amd64"), (ARM_ELF, "arm64")])
def test_the_architecture_is_the_programs(tmp_path: Path, program: Path, content: bytes, architecture: str) -> None:
    program.write_bytes(content)
    files = written(tmp_path / "image.tar", program)
    config = json.loads(files[json.loads(files["manifest.json"])[0]["Config"]])
    assert config["architecture"] == architecture
