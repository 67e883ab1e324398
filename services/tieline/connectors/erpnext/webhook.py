"""Webhooks: what is told is only "read this document again", so one that comes again, or late, does no harm."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence

from tieline.connectors.erpnext.mapping import DOCTYPES
from tieline.connectors.kit.signatures import MAX_WEBHOOK_BYTES
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.kernel.errors import Rejected

SIGNATURE = "X-Frappe-Webhook-Signature"


def signature_of(secret: str, body: bytes) -> str:
    """Base64 of HMAC-SHA256 over the body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def webhook_parser(secret: str) -> Callable[[Mapping[str, str], bytes], Sequence[tuple[str, str]]]:
    """A parser of (headers, body) into the (stream, name) to read; the body has ``doctype`` and ``name``.

    It raises ``Rejected`` on a bad signature or shape, and above one megabyte.
    """
    streams = {doctype: stream for stream, doctype in DOCTYPES.items()}

    def parse(headers: Mapping[str, str], body: bytes) -> Sequence[tuple[str, str]]:
        given = next((text for name, text in headers.items() if name.lower() == SIGNATURE.lower()), "")
        if len(body) > MAX_WEBHOOK_BYTES:
            raise Rejected(f"more than {MAX_WEBHOOK_BYTES} bytes", field="body")
        if not hmac.compare_digest(signature_of(secret, body).encode(), given.encode()):
            raise Rejected("the signature does not fit the body", remedy="check that both sides hold the same secret")
        try:
            event = parse_json(body, max_bytes=MAX_WEBHOOK_BYTES)
        except JsonError as error:
            raise Rejected(str(error), field="body") from None
        doctype, name = (event.get("doctype"), event.get("name")) if isinstance(event, dict) else (None, None)
        if not isinstance(doctype, str) or not isinstance(name, str) or not name:
            raise Rejected("needs doctype and name", field="body", remedy="put both into the webhook's data")
        return [(streams[doctype], name)] if doctype in streams else []

    return parse
