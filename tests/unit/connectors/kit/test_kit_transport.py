"""Each request is sent once, whatever becomes of its connection."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

import tieline.connectors
from tieline.connectors.kit.outcomes import transport_error
from tieline.connectors.kit.transport import OnceTransport
from tieline.kernel.errors import OutcomeUnknown, Unavailable

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CONNECTORS = Path(next(iter(tieline.connectors.__path__)))


@dataclass
class Cutting:
    """A server that answers the first request of each connection, and reads the next and hangs up."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (GOOD, b""):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break  # the other side hung up first
            self.asked.append(head.split(b" ")[0].decode())
            writer.write(answer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def start_cutting() -> AsyncIterator[Cutting]:
    cutting = Cutting()
    server = await asyncio.start_server(cutting.serve, "127.0.0.1", 0)
    cutting.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        yield cutting


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=OnceTransport(), trust_env=False)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
async def test_a_request_whose_connection_breaks_is_not_sent_again(method: str) -> None:
    async with start_cutting() as cutting, client() as http:
        await http.get(cutting.url)
        with pytest.raises(httpx.TransportError) as told:
            await http.request(method, cutting.url)
        assert cutting.asked == ["GET", method]
        # It was read before the connection broke: a write may have taken effect.
        assert isinstance(transport_error(told.value, writes=True), OutcomeUnknown)


async def test_what_never_connected_counts_as_not_sent() -> None:
    async with start_cutting() as cutting:
        pass
    async with client() as http:
        with pytest.raises(httpx.TransportError) as told:
            await http.put(cutting.url)
        assert isinstance(transport_error(told.value, writes=True), Unavailable)


def test_a_connection_that_was_closed_while_the_loop_stood_still_is_not_used() -> None:
    is_answered = threading.Semaphore(0)
    with socket.create_server(("127.0.0.1", 0)) as door, asyncio.Runner() as runner:
        answering = threading.Thread(target=answer_then_hang_up, args=(door, 2, is_answered), daemon=True)
        answering.start()
        url = f"http://127.0.0.1:{door.getsockname()[1]}/"
        http = client()
        for method in ("GET", "PUT"):  # between the two the loop does not run, and so sees nothing
            assert runner.run(http.request(method, url)).status_code == 200
            is_answered.release()
            time.sleep(0.05)
        runner.run(http.aclose())
        answering.join(5)


def answer_then_hang_up(door: socket.socket, times: int, is_answered: threading.Semaphore) -> None:
    for _ in range(times):
        caller, _ = door.accept()
        with caller:
            caller.recv(10_000)
            caller.sendall(GOOD)
            is_answered.acquire(timeout=5)


def test_no_connector_opens_a_transport_of_its_own() -> None:
    named = {path.relative_to(CONNECTORS).as_posix() for path in CONNECTORS.rglob("*.py") if _opens_its_own(path)}
    assert named == {"kit/transport.py"}


def _opens_its_own(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "AiohttpTransport" in text or "AsyncHTTPTransport" in text
