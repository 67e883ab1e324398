"""Checking that a webhook was sent by who says so, and not long ago."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac

from tieline.kernel.errors import Rejected

TOLERANCE_SECS = 300
MAX_WEBHOOK_BYTES = 1_000_000


def check_signature(
    *, secret: str, event_id: str | None, timestamp: str | None, signature: str | None, body: bytes, now: dt.datetime
) -> None:
    """Accept hex HMAC-SHA256 over ``id.timestamp.body``, at most five minutes off; raises ``Rejected`` otherwise.

    ``timestamp`` is seconds since 1970. The comparison takes the same time whether it fails early or late.
    """
    if len(body) > MAX_WEBHOOK_BYTES:
        raise Rejected(f"more than {MAX_WEBHOOK_BYTES} bytes", field="body")
    if not event_id or not timestamp or not signature:
        raise Rejected("id, timestamp or signature is missing", field="headers")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:  # noqa: PLR2004  - beyond any clock
        raise Rejected("is not a number of seconds", field="timestamp")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECS:
        raise Rejected(f"is more than {TOLERANCE_SECS} seconds off", field="timestamp", remedy="check both clocks")
    wanted = hmac.new(secret.encode(), f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), signature.encode()):
        raise Rejected("the signature does not fit the body", remedy="check that both sides hold the same secret")
