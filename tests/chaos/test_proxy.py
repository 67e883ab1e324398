"""The proxy in front of a broker that only echoes correlation ids: what it spoils, and what it lets pass."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from tests.chaos.proxy import END_TRANSACTION, HOST, Proxy, Spoil
from tests.parts.unio24 import free_port

METADATA = 3


@dataclass
class Echo:
    """A broker that answers every request with its correlation id, and remembers which came."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server((HOST, 0)))
    came: list[int] = field(default_factory=list)

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def leave(self) -> None:
        """Listen no more."""
        with suppress(OSError):  # it has left before
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while len(head := connection.recv(4, socket.MSG_WAITALL)) == 4:
                frame = connection.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL)
                correlation = struct.unpack_from(">hhi", frame)[2]
                self.came.append(correlation)
                connection.sendall(struct.pack(">ii", 4, correlation))


@pytest.fixture
def echo() -> Iterator[Echo]:
    broker = Echo()
    thread = threading.Thread(target=broker.serve, daemon=True)
    thread.start()
    yield broker
    broker.leave()
    thread.join(5)


@pytest.fixture
def front(echo: Echo) -> Iterator[tuple[Proxy, int]]:
    port = free_port()
    with Proxy([(port, echo.port)]) as proxy:
        yield proxy, port


def ask(connection: socket.socket, api: int, correlation: int, client: bytes = b"accept") -> None:
    frame = struct.pack(">hhih", api, 0, correlation, len(client)) + client + b"body"
    connection.sendall(struct.pack(">i", len(frame)) + frame)


def answered(connection: socket.socket) -> int | None:
    """The correlation id of the next answer; None when the connection broke."""
    try:
        data = connection.recv(8, socket.MSG_WAITALL)
    except ConnectionError:
        return None
    return struct.unpack(">ii", data)[1] if len(data) == 8 else None


def connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=5)


def test_what_nothing_is_planned_for_passes(front: tuple[Proxy, int]) -> None:
    proxy, port = front
    proxy.plan(Spoil("cut", END_TRANSACTION, "route"))
    with connect(port) as connection:
        for correlation, api in enumerate((METADATA, END_TRANSACTION), 1):
            ask(connection, api, correlation)
            assert answered(connection) == correlation
    assert proxy.struck == []


def test_a_cut_answer_breaks_the_connection_after_the_broker_has_done_it_and_once(
    front: tuple[Proxy, int], echo: Echo
) -> None:
    proxy, port = front
    proxy.plan(Spoil("cut", END_TRANSACTION, "accept"))
    with connect(port) as connection:
        ask(connection, METADATA, 1)
        assert answered(connection) == 1
        ask(connection, END_TRANSACTION, 2)
        assert answered(connection) is None
    assert echo.came == [1, 2]
    with connect(port) as connection:
        ask(connection, END_TRANSACTION, 3)
        assert answered(connection) == 3
    assert [spoil.name for spoil in proxy.struck] == ["cut EndTxn"]


def test_a_delayed_answer_comes_late(front: tuple[Proxy, int]) -> None:
    proxy, port = front
    proxy.plan(Spoil("delay", END_TRANSACTION, "accept", 0.3))
    with connect(port) as connection:
        began = time.monotonic()
        ask(connection, END_TRANSACTION, 1)
        assert answered(connection) == 1
        assert time.monotonic() - began >= 0.3


def test_a_held_request_reaches_the_broker_after_its_client_has_gone(front: tuple[Proxy, int], echo: Echo) -> None:
    proxy, port = front
    proxy.plan(Spoil("hold", END_TRANSACTION, "accept", 0.3))
    with connect(port) as connection:
        ask(connection, END_TRANSACTION, 1)
        assert answered(connection) is None
    assert echo.came == []
    deadline = time.monotonic() + 5
    while echo.came != [1] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert echo.came == [1]


def test_where_no_broker_is_the_client_is_turned_away(front: tuple[Proxy, int], echo: Echo) -> None:
    _, port = front
    echo.leave()
    with connect(port) as connection:
        assert answered(connection) is None
