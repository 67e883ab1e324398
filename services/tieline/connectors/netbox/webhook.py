"""Webhooks of NetBox's event rules. What they say is only "read this record again"."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from tieline.connectors.kit.paths import value_at
from tieline.connectors.kit.signatures import MAX_WEBHOOK_BYTES
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.connectors.netbox.mapping import OBJECT_TYPES
from tieline.kernel.errors import Rejected

SIGNATURE = "X-Hook-Signature"


def sign(secret: str, body: bytes) -> str:
    """Hex HMAC-SHA512 over the body, as NetBox makes it."""
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()


def parse(secret: SecretStr, headers: Mapping[str, str], body: bytes) -> Sequence[tuple[str, str]]:
    """The (stream, native id) to read; none for other objects, nor for a deletion, which the log of changes tells.

    There is no time in what is signed: an old one that comes again only has a record read again. Raises ``Rejected``.
    """
    if len(body) > MAX_WEBHOOK_BYTES:
        raise Rejected(f"more than {MAX_WEBHOOK_BYTES} bytes", field="body")
    given = {name.lower(): value for name, value in headers.items()}.get(SIGNATURE.lower(), "")
    if not hmac.compare_digest(sign(secret.get_secret_value(), body).encode(), given.encode()):
        raise Rejected("the signature does not fit the body", remedy="check that both sides hold the same secret")
    try:
        event = parse_json(body, max_bytes=MAX_WEBHOOK_BYTES)
    except JsonError as error:
        raise Rejected(str(error), field="body") from None
    if not isinstance(event, Mapping):
        raise Rejected("is not an object", field="body")
    # ``object_type`` came with 4.x; before, there was only ``model``, without its app.
    kind = str(event.get("object_type") or f"dcim.{event.get('model')}")
    if kind not in OBJECT_TYPES or event.get("event") == "deleted":
        return []
    found = value_at(event, "data.id")
    if isinstance(found, bool) or not isinstance(found, int):
        raise Rejected("every record needs an id", field="data.id")
    return [(OBJECT_TYPES[kind], str(found))]
