"""Images of a single static program, written without any builder."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

EPOCH = "1970-01-01T00:00:00Z"
NOBODY = "65532:65532"


def write_program_image(archive: Path, *, name: str, program: Path, entrypoint: list[str]) -> None:
    """Write an image, as ``docker save`` would, that holds nothing but one program at ``/<its file name>``.

    The same program gives the same bytes.
    """
    layer = _layer(program)
    config = _json(
        {
            "architecture": "amd64" if _is_x86(program) else "arm64",
            "os": "linux",
            "created": EPOCH,
            "config": {"User": NOBODY, "Entrypoint": entrypoint, "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created": EPOCH, "comment": "one static program"}],
        }
    )
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = _json([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}])
    with tarfile.open(archive, "w") as output:
        for path, content in (("layer.tar", layer), (config_name, config), ("manifest.json", manifest)):
            _add(output, path, content, mode=0o644)


def _layer(program: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        _add(layer, program.name, program.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, path: str, content: bytes, *, mode: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _is_x86(program: Path) -> bool:
    """Read from the ELF header: machine 0x3e is x86-64, the only other one we build for is arm64."""
    with program.open("rb") as file:
        return file.read(20)[18:20] == b"\x3e\x00"
