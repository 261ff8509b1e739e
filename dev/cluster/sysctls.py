"""The few kernel settings of the whole machine that a kubelet changes, kept so that they can be put back."""

import json
from pathlib import Path

from dev.cluster.paths import state_root

CHANGED_BY_KUBELET = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
KERNEL = Path("/proc/sys")


def _saved() -> Path:
    return state_root() / ".sysctls.json"


def remember() -> None:
    """Note the present values, unless another cluster already did."""
    if not _saved().exists():
        values = {name: (KERNEL / name).read_text().strip() for name in CHANGED_BY_KUBELET if (KERNEL / name).exists()}
        state_root().mkdir(parents=True, exist_ok=True)
        _saved().write_text(json.dumps(values))


def restore_unless_needed(*, still_running: bool) -> None:
    """Put the noted values back when the last cluster of this machine is gone."""
    if still_running or not _saved().exists():
        return
    for name, value in json.loads(_saved().read_text()).items():
        if (KERNEL / name).read_text().strip() != value:
            (KERNEL / name).write_text(value)
    _saved().unlink()
