"""Webhooks: asking for them, and reading what comes in. What they say is only "read this record again"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tieline.connectors.kit.paths import value_at
from tieline.connectors.kit.signatures import MAX_WEBHOOK_BYTES, check_signature
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.connectors.unio24.client import Client
from tieline.connectors.unio24.mapping import identifier
from tieline.connectors.unio24.profile import Profile
from tieline.connectors.unio24.settings import Settings
from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected


def webhook_parser(
    profile: Profile, secret: str, clock: Clock
) -> Callable[[Mapping[str, str], bytes], Sequence[tuple[str, str]]]:
    """A parser of (headers, body) into the (stream, native id) to read; none for kinds that no stream reads.

    It raises ``Rejected`` on a bad signature or shape, on one more than five minutes old, and above one megabyte.
    """
    names = profile.webhook

    def parse(headers: Mapping[str, str], body: bytes) -> Sequence[tuple[str, str]]:
        given = {name.lower(): value for name, value in headers.items()}
        check_signature(
            secret=secret,
            event_id=given.get(names.id_header.lower()),
            timestamp=given.get(names.timestamp_header.lower()),
            signature=given.get(names.signature_header.lower()),
            body=body,
            now=clock(),
        )
        try:
            event = parse_json(body, max_bytes=MAX_WEBHOOK_BYTES)
        except JsonError as error:
            raise Rejected(str(error), field="body") from None
        if not isinstance(event, dict):
            raise Rejected("is not an object", field="body")
        stream = names.streams.get(str(value_at(event, names.object)))
        return [] if stream is None else [(stream, identifier(event, names.object_id))]

    return parse


async def ensure_subscription(client: Client, profile: Profile, settings: Settings) -> None:
    """Subscribe the callback URL unless it is. Raises as ``Client`` does."""
    path, url, secret = profile.webhook.subscribe_path, settings.webhook_callback_url, settings.webhook_secret
    if path is None or url is None or secret is None:
        return
    answer = await client.send("GET", path)
    known = value_at(answer.document, profile.webhook.items) if isinstance(answer.document, dict) else None
    entries = [entry for entry in known if isinstance(entry, dict)] if isinstance(known, list) else []
    if url in [value_at(entry, profile.webhook.url) for entry in entries]:
        return
    body = {profile.webhook.url: url, profile.webhook.secret: secret.get_secret_value()}
    await client.send("POST", path, body=body)
