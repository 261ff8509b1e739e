"""Which kind of cluster this machine gets."""

import os

from dev.cluster.backend import Backend
from dev.cluster.errors import ClusterError
from dev.cluster.kind import ENGINES, Kind, find_engine
from dev.cluster.node import Node
from dev.cluster.paths import ClusterPaths
from dev.cluster.programs import Programs

VARIABLE = "CROSSFADE_CLUSTER"


def choose_backend(paths: ClusterPaths, programs: Programs) -> Backend:
    """kind where a container engine answers, else a node; a cluster that exists keeps its kind.

    The environment variable ``CROSSFADE_CLUSTER`` (``kind`` or ``node``) overrides what is found.

    Raises:
        ClusterError: the variable asks for what is not to be had.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", "kind", "node"):
        raise ClusterError(f"{VARIABLE}={wanted!r} is no kind of cluster", "set it to kind or node, or unset it")
    if wanted == "node" or (not wanted and paths.processes.exists()):
        return Node(paths, programs)
    engine = find_engine()
    if engine is not None:
        return Kind(paths, programs, engine)
    if wanted == "kind":
        raise ClusterError(f"no container engine answers ({' or '.join(ENGINES)})", "start one, or unset " + VARIABLE)
    return Node(paths, programs)
