"""The base image where no registry is: Debian's Python and C libraries, and no shell."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import packages
from dev.cluster.cache import Cache
from dev.cluster.commands import run
from dev.cluster.paths import cache_root
from dev.cluster.progress import step

SUITE = "bookworm"
INCLUDED = ("base-files", "ca-certificates", "libstdc++6", "netbase", "python3", "tzdata")
LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")
HOOKS = Path("/usr/share/mmdebstrap/hooks/merged-usr")

# Packages are unpacked, not configured: their scripts would need a shell and everything that comes with one. The two
# things that we want of those scripts are done here. Scripts of wheels name the Python of the official image.
CUSTOMIZATION_HOOK = "extract-hook"  # mmdebstrap runs no customize-hook for the variant that only extracts
CUSTOMIZATION = (
    'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"',
    'printf "root:x:0:0:root:/root:/nologin\\nnonroot:x:65532:65532::/tmp:/nologin\\n" > "$1/etc/passwd"',
    'printf "root:x:0:\\nnonroot:x:65532:\\n" > "$1/etc/group"',
    'mkdir -p "$1/usr/local/bin" && ln -sf /usr/bin/python3 "$1/usr/local/bin/python3"',
    'rm -rf "$1/var/lib/dpkg" "$1/var/cache" && mkdir -p "$1/var/cache" && chmod 1777 "$1/tmp"',
)


@dataclass(frozen=True)
class BaseImage:
    """A root file system made of Debian packages, kept in the cache."""

    cache: Cache

    @classmethod
    def cached(cls, root: Path | None = None) -> "BaseImage":
        """The base in the user's cache, or below ``root``."""
        return cls(Cache((root or cache_root()) / "images", "base"))

    @property
    def key(self) -> str:
        """Changes with what the base is made of."""
        recipe = repr((SUITE, INCLUDED, LEFT_OUT, CUSTOMIZATION_HOOK, CUSTOMIZATION))
        return hashlib.sha256(recipe.encode()).hexdigest()[:16]

    def ensure(self) -> Path:
        """The root file system as a tar file; the first time takes a minute."""
        return self.cache.ensure(self.key, _bootstrap) / "root.tar"


def _bootstrap(folder: Path) -> None:
    packages.ensure(packages.IMAGES, purpose="building images without a container engine")
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    options += [f"--{CUSTOMIZATION_HOOK}={command}" for command in CUSTOMIZATION]
    argv = ["mmdebstrap", "--variant=extract", f"--hook-dir={HOOKS}", f"--include={','.join(INCLUDED)}", *options]
    with step("base image from Debian packages", expect="about a minute"):
        # Its bind mounts end with the command, also when it is killed.
        private = [shutil.which("unshare") or "unshare", "--mount", "--propagation", "slave", "--"]
        run([*private, *argv, SUITE, str(folder / "root.tar")], timeout=1800)
