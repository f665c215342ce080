"""Whether an address can be listened on, found out before anything else is loaded."""

from __future__ import annotations

import socket


def check_free(host: str, port: int) -> None:
    """Return if a server could listen there. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn does
        probe.bind((host, port))
