"""Outgoing webhooks: asynchronous, one attempt each, through a bounded queue; lost, doubled and reordered at will."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from tieline.connectors.kit.sandboxing.faults import Rule

_QUEUE_LENGTH = 10_000
_TIMEOUT_SECS = 5


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook on its way to one subscriber. ``headers`` are made when it is sent: signatures hold a time."""

    url: str
    body: bytes
    headers: Callable[[], Mapping[str, str]]


class Outbox:
    """Sends webhooks. ``send`` never waits: a full queue loses them, as the subscriber's next poll will show.

    Several ``senders`` keep no order among webhooks; one keeps it. Used from one event loop, which ``start`` needs.
    """

    def __init__(self, *, senders: int = 1) -> None:
        self._senders = senders
        self._queue: asyncio.Queue[tuple[Webhook, list[Webhook]]] = asyncio.Queue(_QUEUE_LENGTH)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._held: list[Sequence[Webhook]] = []  # each waits for the next change's, or for its own time

    async def start(self) -> None:
        """Start sending."""
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECS))
        senders = [asyncio.create_task(self._send(session)) for _ in range(self._senders)]
        self._tasks = {*senders, asyncio.create_task(_close_after(session, senders))}

    async def stop(self) -> None:
        """Stop sending; what is queued or held is lost."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, webhooks: Sequence[Webhook], rule: Rule | None = None) -> None:
        """Queue the webhooks of one change as the fault that struck them says."""
        if not webhooks:
            return
        match rule.kind if rule is not None else None:
            case "lose_webhook":
                return
            case "late_webhook" if rule is not None:
                self._later(rule.seconds, lambda: self._put(webhooks, []))
            case "reorder_webhook" if rule is not None:
                self._held.append(webhooks)
                self._later(rule.seconds, lambda: self._release(webhooks))
            case kind:
                then = [webhook for held in self._held for webhook in held]
                self._held.clear()
                self._put([*webhooks, *webhooks] if kind == "duplicate_webhook" else webhooks, then)

    def _later(self, secs: float, do: Callable[[], None]) -> None:
        def due() -> None:
            self._timers.discard(timer)
            do()

        timer = asyncio.get_running_loop().call_later(secs, due)
        self._timers.add(timer)

    def _release(self, webhooks: Sequence[Webhook]) -> None:
        if webhooks in self._held:
            self._held.remove(webhooks)
            self._put(webhooks, [])

    def _put(self, webhooks: Sequence[Webhook], then: list[Webhook]) -> None:
        for number, webhook in enumerate(webhooks, 1):
            if not self._queue.full():
                # What was overtaken goes out when the last of these has been answered.
                self._queue.put_nowait((webhook, then if number == len(webhooks) else []))

    async def _send(self, session: aiohttp.ClientSession) -> None:
        while True:
            webhook, then = await self._queue.get()
            headers = {"Content-Type": "application/json", **webhook.headers()}
            try:
                async with session.post(webhook.url, data=webhook.body, headers=headers, allow_redirects=False):
                    pass
            except (aiohttp.ClientError, TimeoutError, ValueError):
                pass  # best effort: the subscriber's next poll finds the change
            self._put(then, [])


async def _close_after(session: aiohttp.ClientSession, senders: list[asyncio.Task[None]]) -> None:
    try:
        await asyncio.gather(*senders, return_exceptions=True)
    finally:
        await session.close()
