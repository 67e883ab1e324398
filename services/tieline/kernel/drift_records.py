"""Differences as events: when reconciliation first found one, and when it no longer did. Mirrors Avro as ``model``."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from tieline.kernel.memory import Drift
from tieline.kernel.vocabulary import Code, Model


class DriftDetected(Model):
    """A reconciliation found a difference that was not there before. Key: drift id."""

    run_id: Code = Field(description="Run that found it.")
    drift: Drift = Field(description="The difference.")
    detected_at: AwareDatetime = Field(description="When the run ended (UTC).")


class DriftCleared(Model):
    """A reconciliation no longer finds a difference: it is over, or what is under way explains it. Key: drift id."""

    run_id: Code = Field(description="Run that no longer found it.")
    drift: Drift = Field(description="The difference as it was last seen.")
    cleared_at: AwareDatetime = Field(description="When the run ended (UTC).")
