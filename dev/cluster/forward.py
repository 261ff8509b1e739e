"""Ports on 127.0.0.1 that lead into a node's network."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from dev.cluster.errors import ClusterError
from dev.cluster.namespaces import NodeNamespaces
from dev.cluster.processes import ProcessTable
from dev.cluster.programs import Programs

LOOPBACK = "127.0.0.1"


def start_forward(
    table: ProcessTable,
    name: str,
    spaces: NodeNamespaces,
    programs: Programs,
    target: str,
    *,
    local_port: int = 0,
    die_with_parent: bool = False,
) -> int:
    """Start a recorded process that copies connections to ``target`` (HOST:PORT); return the port on 127.0.0.1.

    The socket is opened here and inherited: a socket stays in the network where it was opened, while those that the
    process itself opens are in the node's.
    """
    program = programs.path("forward")
    with _listen(local_port) as listener:
        descriptor = listener.fileno()
        argv = spaces.in_network([program, str(descriptor), target])
        table.start(name, argv, die_with_parent=die_with_parent, fds=[descriptor])
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def forwarding_into(
    table: ProcessTable, spaces: NodeNamespaces, programs: Programs, target: str, local_port: int
) -> Iterator[int]:
    """Forward while the context is open, and no longer than this process lives."""
    name = f"forward-{target}-{secrets.token_hex(4)}".replace(":", "-")
    port = start_forward(table, name, spaces, programs, target, local_port=local_port, die_with_parent=True)
    try:
        yield port
    finally:
        table.stop(name, grace=0)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port), backlog=512)
    except OSError as refused:
        raise ClusterError(
            f"cannot listen on {LOOPBACK}:{port}: {refused.strerror}", "choose another local port"
        ) from refused
