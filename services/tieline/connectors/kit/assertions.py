"""OAuth2 with a signed assertion instead of a secret: JWT profiles (RFC 7523), as NetSuite and Oracle have them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Literal

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from tieline.connectors.kit.authentication import Authentication, Token, fetch_token, token
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.errors import Stop

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Algorithm = Literal["RS256", "PS256", "ES256", "ES512"]


def jwt_assertion(
    endpoint: str,
    *,
    private_key: str,
    algorithm: Algorithm,
    issuer: str,
    subject: str | None = None,
    audience: str | None = None,
    key_id: str | None = None,
    scope: str | None = None,
    as_client: bool = True,
    claims: Mapping[str, object] | None = None,
    lifetime_secs: int = 300,
    clock: Clock = utc_now,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    monotonic: Callable[[], float] | None = None,
) -> Authentication:
    """A token for an assertion signed with ``private_key`` (PEM).

    ``as_client``: it proves the client of a client credentials grant (section 2.2, NetSuite); else it is the grant
    itself (section 2.1, ServiceNow). The audience is the token endpoint unless said otherwise; ``claims`` are further
    ones. Raises ``Stop`` at once for a key that does not fit the algorithm.
    """
    try:
        key = (ECKey if algorithm.startswith("ES") else RSAKey).import_key(private_key)
    except (JoseError, ValueError, TypeError):
        raise Stop(f"the private key is none for {algorithm}; give it as PEM text") from None
    head: dict[str, object] = {"alg": algorithm, **({"kid": key_id} if key_id else {})}

    async def fetch(http: httpx.AsyncClient) -> Token:
        now = int(clock().timestamp())
        said: dict[str, object] = {
            "iss": issuer,
            "sub": subject or issuer,
            "aud": audience or endpoint,
            "iat": now,
            "exp": now + lifetime_secs,
            "jti": new_id(),
            **(claims or {}),
        }
        if scope:
            said["scope"] = scope
        assertion = jwt.encode(head, said, key, algorithms=[algorithm])
        if as_client:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": CLIENT_ASSERTION,
                "client_assertion": assertion,
            }
        else:
            form = {"grant_type": JWT_BEARER, "assertion": assertion}
        return await fetch_token(http, endpoint, {**form, **({"scope": scope} if scope else {})}, clock=clock)

    return token(fetch, monotonic=monotonic)
