"""The landscape's librdkafka settings for security, as Faust's own client wants them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import faust

from tieline.kernel.errors import Stop

_KNOWN = frozenset(
    {
        "security.protocol",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
    }
)


def broker_credentials(client: Mapping[str, str]) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Credentials for the broker; None for a plain connection. Raises ``Stop`` for a setting that has no equivalent."""
    unknown = [name for name in client if name.startswith(("security.", "ssl.", "sasl.")) and name not in _KNOWN]
    if unknown:
        raise Stop(f"kafka.client.{unknown[0]}: the live views cannot honour it; they know {', '.join(sorted(_KNOWN))}")
    protocol = client.get("security.protocol", "plaintext").upper()
    context = _context(client) if protocol in {"SSL", "SASL_SSL"} else None
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=client.get("sasl.username"),
            password=client.get("sasl.password"),
            mechanism=client.get("sasl.mechanism") or client.get("sasl.mechanisms") or "PLAIN",
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context is not None else None


def _context(client: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=client.get("ssl.ca.location"))
        if certificate := client.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, client.get("ssl.key.location"), client.get("ssl.key.password"))
    except (OSError, ssl.SSLError) as error:
        raise Stop(f"kafka.client: the TLS files cannot be used: {error}") from error
    return context
