"""A TCP proxy between clients and brokers on the loopback that reads Kafka's frames, and spoils chosen answers.

A frame is four bytes of length and so many bytes. A request begins with api key, api version, correlation id and client
id; an answer with the correlation id (KIP-511 and the protocol guide; the same in all versions).
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self

HOST = "127.0.0.1"
ADD_OFFSETS, END_TRANSACTION, COMMIT_OFFSETS = 25, 26, 28
API_NAMES = {ADD_OFFSETS: "AddOffsetsToTxn", END_TRANSACTION: "EndTxn", COMMIT_OFFSETS: "TxnOffsetCommit"}
_LENGTH = struct.Struct(">i")
_HEAD = struct.Struct(">hhih")

Deed = Literal["delay", "cut", "hold"]


class Spoil(NamedTuple):
    """What becomes of the next request of a kind from a client.

    delay: its answer comes ``secs`` late. cut: it is done, and the connection breaks instead of the answer.
    hold: the connection breaks at once, and the request reaches the broker ``secs`` later, when nobody waits for it.
    """

    deed: Deed
    api: int
    client: str
    secs: float = 0.0

    @property
    def name(self) -> str:
        """For the report."""
        return f"{self.deed} {API_NAMES[self.api]}"


class Request(NamedTuple):
    """What a request's head says."""

    api: int
    correlation: int
    client: str


def read_head(frame: bytes) -> Request:
    """The head of a request without its length."""
    api, _version, correlation, length = _HEAD.unpack_from(frame)
    name = frame[_HEAD.size : _HEAD.size + max(length, 0)].decode(errors="replace")
    return Request(api, correlation, name)


@dataclass(eq=False, slots=True)
class _Link:
    """One client's connection and the broker's side of it."""

    client: asyncio.StreamWriter
    broker: asyncio.StreamWriter
    spoilt: dict[int, Spoil] = field(default_factory=dict)  # by correlation id: what becomes of the answer
    held: bool = False

    def cut(self) -> None:
        """Break both sides off, as a cable would."""
        for writer in (self.client, self.broker):
            writer.transport.abort()


class Proxy:
    """Ports in front of the brokers' own. Runs in a thread of its own; a context manager."""

    def __init__(self, ways: Sequence[tuple[int, int]]) -> None:
        """``ways`` are pairs of ports: where clients come, and where the broker is."""
        self._ways = ways
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[Spoil] = []
        self._lock = threading.Lock()
        self.struck: list[Spoil] = []

    def plan(self, spoil: Spoil) -> None:
        """Spoil the next request of this kind and client."""
        with self._lock:
            self._waiting.append(spoil)

    def forget(self) -> None:
        """Spoil nothing more."""
        with self._lock:
            self._waiting.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self) -> None:
        for front, behind in self._ways:
            self._servers.append(await asyncio.start_server(self._serving(behind), HOST, front))

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for link in list(self._links):
            link.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serving(self, behind: int) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._serve(behind, reader, writer)
            except asyncio.CancelledError:
                pass
            finally:
                self._tasks.discard(task)

        return serve

    async def _serve(self, behind: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, broker = await asyncio.open_connection(HOST, behind)
        except OSError:
            writer.transport.abort()  # the broker is not there
            return
        link = _Link(writer, broker)
        self._links.add(link)
        pair = [
            asyncio.ensure_future(way) for way in (self._pass_requests(link, reader), self._pass_answers(link, answers))
        ]
        try:
            await asyncio.wait(pair, return_when=asyncio.FIRST_COMPLETED)
            if link.held:
                await asyncio.wait(pair[:1])
        finally:
            link.cut()
            self._links.discard(link)
            for way in pair:
                way.cancel()
            await asyncio.gather(*pair, return_exceptions=True)

    async def _pass_requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                frame = await _read_frame(reader)
                request = read_head(frame)
                spoil = self._take(request)
                if spoil is not None and spoil.deed == "hold":
                    link.held = True
                    link.client.transport.abort()
                    await asyncio.sleep(spoil.secs)
                elif spoil is not None:
                    link.spoilt[request.correlation] = spoil
                link.broker.write(_LENGTH.pack(len(frame)) + frame)
                await link.broker.drain()
                if link.held:
                    await asyncio.sleep(0.5)  # time for the broker to take it, before this side goes too
                    return

    async def _pass_answers(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                frame = await _read_frame(reader)
                spoil = link.spoilt.pop(_LENGTH.unpack_from(frame)[0], None) if link.spoilt else None
                if spoil is not None and spoil.deed == "cut":
                    return
                if spoil is not None:
                    await asyncio.sleep(spoil.secs)
                link.client.write(_LENGTH.pack(len(frame)) + frame)
                await link.client.drain()

    def _take(self, request: Request) -> Spoil | None:
        if request.api not in API_NAMES:
            return None
        with self._lock:
            for place, spoil in enumerate(self._waiting):
                if (spoil.api, spoil.client) == (request.api, request.client):
                    self.struck.append(self._waiting.pop(place))
                    return spoil
        return None


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)
