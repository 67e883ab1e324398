"""Settings of one Example system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from tieline.kernel.errors import Stop

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError("must be an http or https URL without credentials")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be https unless it is on this machine: the token would travel readable")
    return value.rstrip("/")


class Settings(BaseModel):
    """How to reach the system."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="URL that the paths are appended to; https unless it is on this machine."
    )
    token: SecretStr = Field(description="Bearer token of the integration user.")
    read_timeout_secs: float = Field(default=30, gt=0, le=600, description="Longest time for one exchange.")
    max_connections: int = Field(default=16, ge=1, le=500, description="Most requests of one process under way.")
    max_answer_bytes: int = Field(
        default=16_000_000, ge=10_000, le=256_000_000, description="Longest answer that is read, in bytes."
    )
    page_size: int = Field(default=200, ge=1, le=1_000, description="Records asked for per page.")
    overlap_secs: float = Field(
        default=2, ge=0, le=3600, description="How far each poll reads back, for records that become visible late."
    )


def read_settings(system: str, settings: Mapping[str, object]) -> Settings:
    """Checked settings; raises ``Stop`` naming each faulty one, never its value (Invariant 14)."""
    try:
        return Settings.model_validate(settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise Stop(f"settings of system {system}: {faults}") from None
