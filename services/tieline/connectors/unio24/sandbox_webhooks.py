"""The sandbox's outgoing webhooks: signed, asynchronous, best effort: one attempt, no order, a bounded queue."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Mapping

from tieline.connectors.kit.sandboxing.faults import Rule
from tieline.connectors.kit.sandboxing.webhooks import Outbox, Webhook
from tieline.connectors.unio24.sandbox_store import Change, Store

_SENDERS = 4


def sign(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over ``id.timestamp.body``."""
    return hmac.new(secret.encode(), f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class Messenger:
    """Tells every subscriber what changed. ``outbox`` sends; start and stop it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._subscribers: list[tuple[str, str]] = []
        self.outbox = Outbox(senders=_SENDERS)
        self.reload()

    def reload(self) -> None:
        """Read the subscriptions again."""
        self._subscribers = [(str(s["url"]), str(s["secret"])) for s in self._store.find("subscription")]

    def tell(self, changes: list[Change], rule: Rule | None) -> None:
        """Queue the webhooks of what one request changed, as the fault that struck them says."""
        if not self._subscribers:
            return
        webhooks = []
        for change in changes:
            event_id = str(uuid.uuid4())
            event = {"type": f"{change.object}.{change.action}", "object": change.object, "object_id": change.object_id}
            body = json.dumps({"id": event_id, "occurred_at": self._store.now(), **event}).encode()
            webhooks += [Webhook(url, body, _signing(secret, event_id, body)) for url, secret in self._subscribers]
        self.outbox.send(webhooks, rule)


def _signing(secret: str, event_id: str, body: bytes) -> Callable[[], Mapping[str, str]]:
    def headers() -> Mapping[str, str]:
        timestamp = str(int(time.time()))
        return {
            "X-Unio24-Id": event_id,
            "X-Unio24-Timestamp": timestamp,
            "X-Unio24-Signature": sign(secret, event_id, timestamp, body),
        }

    return headers
