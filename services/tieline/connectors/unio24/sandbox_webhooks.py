"""The sandbox's outgoing webhooks: signed, asynchronous, best effort: one attempt, no order, a bounded queue."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass

import aiohttp

from tieline.connectors.unio24.sandbox_store import Change, Store

_QUEUE_LENGTH = 10_000
_SENDERS = 4
_TIMEOUT_SECS = 5


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One webhook on its way to one subscriber."""

    url: str
    secret: str
    event_id: str
    body: bytes


def sign(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over ``id.timestamp.body``."""
    return hmac.new(secret.encode(), f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class Messenger:
    """Sends what changed to every subscriber. ``enqueue`` never waits: a full queue loses the webhook."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: asyncio.Queue[Outgoing] = asyncio.Queue(_QUEUE_LENGTH)
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscribers: list[tuple[str, str]] = []
        self.reload()

    def reload(self) -> None:
        """Read the subscriptions again."""
        self._subscribers = [(str(s["url"]), str(s["secret"])) for s in self._store.find("subscription")]

    async def start(self) -> None:
        """Start sending."""
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECS))
        senders = [asyncio.create_task(self._send(session)) for _ in range(_SENDERS)]
        self._tasks = {*senders, asyncio.create_task(_close_after(session, senders))}

    async def stop(self) -> None:
        """Stop sending; what is queued is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def enqueue(self, changes: list[Change], *, copies: int, delay_secs: float) -> None:
        """Queue ``copies`` of each change per subscriber, now or after a delay."""
        if not self._subscribers:
            return
        for change in changes:
            event_id = str(uuid.uuid4())
            event = {"type": f"{change.object}.{change.action}", "object": change.object, "object_id": change.object_id}
            body = json.dumps({"id": event_id, "occurred_at": self._store.now(), **event}).encode()
            for url, secret in self._subscribers:
                for _ in range(copies):
                    self._put(Outgoing(url, secret, event_id, body), delay_secs)

    def _put(self, outgoing: Outgoing, delay_secs: float) -> None:
        if delay_secs > 0:
            asyncio.get_running_loop().call_later(delay_secs, self._put, outgoing, 0)
        elif not self._queue.full():
            self._queue.put_nowait(outgoing)

    async def _send(self, session: aiohttp.ClientSession) -> None:
        while True:
            outgoing = await self._queue.get()
            timestamp = str(int(time.time()))
            headers = {
                "Content-Type": "application/json",
                "X-Unio24-Id": outgoing.event_id,
                "X-Unio24-Timestamp": timestamp,
                "X-Unio24-Signature": sign(outgoing.secret, outgoing.event_id, timestamp, outgoing.body),
            }
            try:
                async with session.post(outgoing.url, data=outgoing.body, headers=headers, allow_redirects=False):
                    pass
            except (aiohttp.ClientError, TimeoutError, ValueError):
                continue  # best effort: the subscriber's next poll finds the change


async def _close_after(session: aiohttp.ClientSession, senders: list[asyncio.Task[None]]) -> None:
    try:
        await asyncio.gather(*senders, return_exceptions=True)
    finally:
        await session.close()
