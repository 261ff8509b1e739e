"""``python -m dev.cluster``: the verbs a person types."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

from dev.cluster import images
from dev.cluster.backend import Backend
from dev.cluster.choice import choose_backend
from dev.cluster.errors import ClusterError
from dev.cluster.paths import DEFAULT_NAME, ClusterPaths
from dev.cluster.programs import NODE, Programs, find_client
from dev.cluster.progress import say

PASSED_ON = ("kubectl", "helm")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the exit status is 0, 1 for a problem (told on standard error) or 2 for a wrong command line."""
    parsed = parser().parse_args(arguments)
    try:
        return _VERBS[parsed.verb](parsed)
    except ClusterError as problem:
        say(f"error: {problem}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dev.cluster",
        description="A local Kubernetes: kind where a container engine runs, else a node of its own.",
    )
    parser.add_argument(
        "--name",
        default=os.environ.get("CROSSFADE_CLUSTER_NAME", DEFAULT_NAME),
        help="which cluster (default: %(default)s)",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="start it, or what does not run of it, and wait until it is ready")
    up.add_argument("--images", action="store_true", help="also build all images and load them")
    verbs.add_parser("down", help="remove it with all that it left on this machine")
    verbs.add_parser("status", help="say what runs; exit status 1 unless all does")
    verbs.add_parser("kubeconfig", help="print the path of an administrator's kubeconfig")
    verbs.add_parser("build-programs", help="build the programs of the node (minutes, once per version)")
    build = verbs.add_parser("images", help="build images; unchanged ones are kept")
    load = verbs.add_parser("load-image", help="build images where needed and give them to the node")
    for takes_images, count in ((build, "*"), (load, "+")):
        takes_images.add_argument(
            "image", nargs=count, metavar="NAME", help=f"one of {', '.join(images.NAMES)}, or an archive's path"
        )
    forward = verbs.add_parser("forward", help="lead a port of 127.0.0.1 to a Service or Pod until interrupted")
    forward.add_argument("target", metavar="svc/NAME|pod/NAME")
    forward.add_argument("port", metavar="[LOCALPORT:]PORT", type=_port_pair)
    forward.add_argument("-n", "--namespace", default="default")
    for program in PASSED_ON:
        passed = verbs.add_parser(program, help=f"run {program} against it", add_help=False, prefix_chars="\0")
        passed.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _port_pair(text: str) -> tuple[int, int]:
    """The port there and the one here, in kubectl's order; 0 for a free one."""
    local, _, remote = text.rpartition(":")
    try:
        pair = int(remote), int(local or 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not PORT or LOCALPORT:PORT") from None
    if not (0 < pair[0] < 65536 and 0 <= pair[1] < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} holds a number that is no port")
    return pair


def _backend(parsed: argparse.Namespace) -> Backend:
    return choose_backend(ClusterPaths(parsed.name), Programs.cached())


def _up(parsed: argparse.Namespace) -> int:
    started = time.monotonic()
    backend = _backend(parsed)
    say(f"cluster {parsed.name} ({backend.kind})")
    backend.up()
    if parsed.images:
        store = images.ImageStore.cached()
        images.load_by_name(store, backend, ClusterPaths(parsed.name), store.names())
    say(f"ready after {time.monotonic() - started:.0f} s. Next: python -m dev.cluster kubectl get pods -A")
    return 0


def _down(parsed: argparse.Namespace) -> int:
    _backend(parsed).down()
    say(f"cluster {parsed.name} is gone")
    return 0


def _status(parsed: argparse.Namespace) -> int:
    status = _backend(parsed).status()
    print(f"cluster {parsed.name} ({status.kind}) is {'up' if status.up else 'not up'}")
    for component in status.components:
        print(f"  {'✓' if component.running else '✗'} {component.name}")
    return 0 if status.up else 1


def _kubeconfig(parsed: argparse.Namespace) -> int:
    print(_backend(parsed).kubeconfig())
    return 0


def _build_programs(parsed: argparse.Namespace) -> int:
    programs = Programs.cached()
    programs.ensure(NODE)
    say(f"all {len(NODE)} programs of Kubernetes {programs.kubernetes_version} are in place")
    return 0


def _images(parsed: argparse.Namespace) -> int:
    store = images.ImageStore.cached()
    for name in parsed.image or store.names():
        built = store.build(name)
        print(f"{built.reference} {built.archive}")
    return 0


def _load_image(parsed: argparse.Namespace) -> int:
    images.load_by_name(images.ImageStore.cached(), _backend(parsed), ClusterPaths(parsed.name), tuple(parsed.image))
    return 0


def _forward(parsed: argparse.Namespace) -> int:
    port, local_port = parsed.port
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with _backend(parsed).forwarding(parsed.target, port, local_port=local_port, namespace=parsed.namespace) as opened:
        print(f"http://127.0.0.1:{opened} -> {parsed.target} port {port} (Ctrl-C ends it)", flush=True)
        ended.wait()
    return 0


def _pass_on(parsed: argparse.Namespace) -> int:
    programs, backend = Programs.cached(), _backend(parsed)
    kubeconfig = backend.kubeconfig()
    program = find_client(programs, parsed.verb) if backend.kind == "kind" else programs.path(parsed.verb)
    sys.stdout.flush()
    os.execve(program, [str(program), *parsed.arguments], {**os.environ, "KUBECONFIG": str(kubeconfig)})  # noqa: S606


_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "kubeconfig": _kubeconfig,
    "build-programs": _build_programs,
    "images": _images,
    "load-image": _load_image,
    "forward": _forward,
    **dict.fromkeys(PASSED_ON, _pass_on),
}
