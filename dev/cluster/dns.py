"""One DNS question over UDP, asked from inside the node: ``python -m dev.cluster.dns SERVER NAME``."""

import secrets
import socket
import struct
import sys

TYPE_A, CLASS_IN = 1, 1
RESPONSE_CODE_MASK = 0x000F


def resolves(server: str, name: str, *, timeout: float = 2.0) -> bool:
    """Whether ``server`` answers an A query for ``name`` without an error and with at least one record (RFC 1035)."""
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split("."))
    recursion_desired = 0x0100
    header = struct.pack("!6H", number, recursion_desired, 1, 0, 0, 0)
    question = labels + b"\0" + struct.pack("!2H", TYPE_A, CLASS_IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect((server, 53))
        try:
            client.send(header + question)
            answer = client.recv(4096)
        except OSError:
            return False
    answered_number, flags, _, records = struct.unpack("!4H", answer[:8])
    return bool(answered_number == number and flags & RESPONSE_CODE_MASK == 0 and records > 0)


if __name__ == "__main__":
    sys.exit(0 if resolves(sys.argv[1], sys.argv[2]) else 1)
