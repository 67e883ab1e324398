"""OAuth1 (RFC 5849) with tokens made beforehand and HMAC-SHA256: NetSuite's token-based authentication."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from urllib.parse import parse_qsl, quote

import httpx
from authlib.oauth1.rfc5849.parameters import prepare_headers
from authlib.oauth1.rfc5849.signature import construct_base_string

from tieline.connectors.kit.authentication import Authentication
from tieline.kernel.clock import Clock, utc_now


def token_based(
    *,
    consumer_key: str,
    consumer_secret: str,
    token: str,
    token_secret: str,
    realm: str,
    clock: Clock = utc_now,
    new_nonce: Callable[[], str] = lambda: secrets.token_hex(16),
) -> Authentication:
    """Every request is signed by itself: method, URL and query; a JSON body is no part of it (section 3.4.1.3.1)."""
    key = f"{quote(consumer_secret, safe='~')}&{quote(token_secret, safe='~')}".encode()

    async def sign(request: httpx.Request, _http: httpx.AsyncClient) -> None:
        parameters = [
            ("oauth_consumer_key", consumer_key),
            ("oauth_nonce", new_nonce()),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", str(int(clock().timestamp()))),
            ("oauth_token", token),
            ("oauth_version", "1.0"),
        ]
        query = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        base = construct_base_string(request.method, str(request.url.copy_with(query=None)), [*query, *parameters])
        digest = hmac.new(key, str(base).encode(), hashlib.sha256).digest()
        signed = [*parameters, ("oauth_signature", base64.b64encode(digest).decode())]
        request.headers.update(prepare_headers(signed, {}, realm=realm))

    return Authentication(sign, lambda _status, _headers: False)
