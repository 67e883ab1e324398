"""The landscape's Kafka security, as Faust wants it."""

from __future__ import annotations

from pathlib import Path

import faust
import pytest

from tieline.kernel.errors import Stop
from tieline.views.credentials import broker_credentials


def test_a_plain_connection_needs_none() -> None:
    assert broker_credentials({"socket.timeout.ms": "1000"}) is None


def test_user_and_password_are_passed_on() -> None:
    found = broker_credentials(
        {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": "views",
            "sasl.password": "secret",
        }
    )
    assert isinstance(found, faust.SASLCredentials)
    assert (found.username, found.password, str(found.mechanism.value)) == ("views", "secret", "SCRAM-SHA-256")


def test_tls_checks_the_broker() -> None:
    found = broker_credentials({"security.protocol": "ssl"})
    assert isinstance(found, faust.SSLCredentials)
    assert found.context.check_hostname


def test_a_security_setting_without_equivalent_is_refused_not_ignored() -> None:
    with pytest.raises(Stop, match=r"kafka\.client\.sasl\.kerberos\.keytab"):
        broker_credentials({"security.protocol": "SASL_PLAINTEXT", "sasl.kerberos.keytab": "/x"})


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="TLS files"):
        broker_credentials({"security.protocol": "SSL", "ssl.ca.location": str(tmp_path / "none.pem")})
