"""Ports on the loopback: which are free, and who should have them."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Mapping

from tieline.stack.errors import StackError

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Different ports that were free a moment ago, chosen by the operating system."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def is_free(port: int) -> bool:
    """True when a server could listen on the loopback's ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
        return True


def answers(port: int, *, timeout_secs: float = 0.5) -> bool:
    """True when something accepts connections there."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_secs):
            return True
    except OSError:
        return False


def require_free(ports: Mapping[str, int]) -> None:
    """Raise ``StackError`` naming the first part whose port is taken, and how to find the owner."""
    for part, port in ports.items():
        if not is_free(port):
            raise StackError(
                f"port {port} on {HOST}, which {part} needs, is taken by another program:"
                f" `ss -ltnp 'sport = :{port}'` (or `lsof -i :{port}`) shows which; stop it and run this again."
            )
