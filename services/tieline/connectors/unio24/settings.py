"""Settings of one UNIO24-style system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from tieline.kernel.errors import Stop

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    if parts.username or parts.password:
        raise ValueError("must not hold credentials; put the token into the setting token")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be https unless it is on this machine: the token would travel readable")
    return value.rstrip("/")


class Settings(BaseModel):
    """How to reach the system. Its paths and names are in the profile, not here."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="URL that the profile's paths are appended to; https unless it is on this machine."
    )
    profile: Path = Field(description="YAML file that maps the system's API; edited by the system's owner.")
    records: dict[str, Path] = Field(
        default_factory=dict,
        description="Record family that the landscape declares, and the YAML file that maps it in this system.",
    )
    token: SecretStr = Field(description="Bearer token of the integration user.")
    connect_timeout_secs: float = Field(default=5, gt=0, le=60, description="Longest wait for a connection.")
    read_timeout_secs: float = Field(default=30, gt=0, le=600, description="Longest silence while an answer is due.")
    request_timeout_secs: float = Field(default=60, gt=0, le=1200, description="Longest time for one whole exchange.")
    max_connections: int = Field(default=64, ge=1, le=500, description="Most requests of one process under way.")
    max_answer_bytes: int = Field(
        default=16_000_000, ge=10_000, le=256_000_000, description="Longest answer that is read, in bytes."
    )
    page_size: int = Field(
        default=200, ge=1, le=10_000, description="Records asked for per page; the API may give less."
    )
    overlap_secs: float = Field(
        default=2, ge=0, le=3600, description="How far each poll reads back, for records that become visible late."
    )
    webhook_secret: SecretStr | None = Field(default=None, description="Secret that signs the system's webhooks.")
    webhook_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Port to receive webhooks on; none means polling only."
    )
    webhook_path: str = Field(
        default="/webhooks/unio24", pattern=r"^/[A-Za-z0-9/_.-]*$", description="Path to receive webhooks on."
    )
    webhook_callback_url: str | None = Field(
        default=None, description="URL under which the system reaches that port and path; subscribed when set."
    )


def read_settings(system: str, settings: Mapping[str, object]) -> Settings:
    """Checked settings; raises ``Stop`` naming each faulty one, never its value (Invariant 14)."""
    try:
        checked = Settings.model_validate(settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise Stop(f"settings of system {system}: {faults}") from None
    if checked.webhook_port is not None and checked.webhook_secret is None:
        raise Stop(f"settings of system {system}: webhook_secret is needed where webhook_port is set")
    return checked
