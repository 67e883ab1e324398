"""Questions to a schema registry, by its Confluent-compatible API and with the standard library alone.

Every process of the hub asks a few at its start, and to import the registry's client takes a third of that start.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from tieline.kernel.errors import Retryable, Stop

TIMEOUT_SECS = 30.0
_SENT = "application/vnd.schemaregistry.v1+json"
_WANTED = f"{_SENT}, application/vnd.schemaregistry+json, application/json"


class Registry:
    """A registry by its base URL, which may hold ``user:password@``; or several by comma, asked in turn."""

    def __init__(self, url: str, *, timeout_secs: float = TIMEOUT_SECS) -> None:
        """Contacts nobody. Raises ``Stop`` for what is no URL of a registry."""
        self._timeout_secs = timeout_secs
        self._bases = [_without_user(one.strip().rstrip("/")) for one in url.split(",")]
        self._headers = {"Accept": _WANTED, "Content-Type": _SENT, **_authorization(url.split(",", maxsplit=1)[0])}

    def ask(self, path: str, content: Mapping[str, object] | None = None) -> Any:
        """What the registry answers to a GET, or to a POST of ``content``; None where it has no such thing.

        Raises ``Retryable`` if it does not answer, or with an error.
        """
        data = None if content is None else json.dumps(content).encode()
        for left, base in enumerate(self._bases, 1 - len(self._bases)):
            try:
                return self._ask(Request(f"{base}/{path}", data, self._headers))  # noqa: S310  - http or https: see _without_user
            except Retryable:
                if left == 0:
                    raise
        return None

    def _ask(self, request: Request) -> Any:
        context = _trusted() if request.type == "https" else None
        try:
            with urlopen(request, timeout=self._timeout_secs, context=context) as answer:  # noqa: S310  - as above
                return json.load(answer)
        except HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise Retryable(f"schema registry: {_reason(error)}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise Retryable(f"schema registry does not answer: {error}") from error


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Stop(f"registry.url: {parts.hostname or 'it'} is no http or https address")  # Invariant 14: no password
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _authorization(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if parts.username is None or parts.password is None:
        return {}
    user = f"{unquote(parts.username)}:{unquote(parts.password)}"
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def _trusted() -> ssl.SSLContext:
    """Certificates as other clients trust them: those the environment names, else the ones that certifi brings."""
    if ssl.get_default_verify_paths().cafile is not None:
        return ssl.create_default_context()
    import certifi  # noqa: PLC0415  - only for https, where the machine has none

    return ssl.create_default_context(cafile=certifi.where())


def _reason(error: HTTPError) -> str:
    try:
        return f"{error.code}: {str(json.load(error)['message'])[:300]}"
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return f"{error.code}: {error.reason}"
