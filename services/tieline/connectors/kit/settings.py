"""Settings that every connector to an HTTP API has; a connector's own model adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tieline.kernel.errors import Stop

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
S = TypeVar("S", bound=BaseModel)


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    if parts.username or parts.password:
        raise ValueError("must not hold credentials; put them into the settings meant for them")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be https unless it is on this machine: credentials would travel readable")
    return value.rstrip("/")


Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""An https URL (http on this machine) without credentials and without a slash at its end."""


class HttpSettings(BaseModel):
    """How an API is reached. A connector's settings inherit from it and add what their system needs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: Endpoint = Field(description="URL of the system; https unless it is on this machine.")
    connect_timeout_secs: float = Field(default=5, gt=0, le=60, description="Longest wait for a connection.")
    read_timeout_secs: float = Field(default=30, gt=0, le=600, description="Longest silence while an answer is due.")
    request_timeout_secs: float = Field(default=60, gt=0, le=1200, description="Longest time for one whole exchange.")
    max_connections: int = Field(default=16, ge=1, le=500, description="Most requests of one process under way.")
    max_answer_bytes: int = Field(
        default=16_000_000, ge=10_000, le=256_000_000, description="Longest answer that is read, in bytes."
    )
    page_size: int = Field(
        default=200, ge=2, le=10_000, description="Records asked for per page; the system may give less."
    )
    overlap_secs: float = Field(
        default=2, ge=0, le=86_400, description="How far each poll reads back, for records that become visible late."
    )


def read_settings(model: type[S], system: str, settings: Mapping[str, object]) -> S:
    """Checked settings; raises ``Stop`` naming each faulty one, never its value (Invariant 14)."""
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise Stop(f"settings of system {system}: {faults}") from None
