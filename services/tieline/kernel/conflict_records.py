"""Conflicts as events: what stood against what, and what became of it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.model import Code, Model, Text


class ConflictOutcome(StrEnum):
    """What became of the word that lost."""

    UNKNOWN = "UNKNOWN"
    REFUSED = "REFUSED"
    REPLACED = "REPLACED"
    WAITING = "WAITING"


class ConflictSide(Model):
    """One of two values that stand against each other."""

    system: Code = Field(description="System that said it.")
    value: Text | None = Field(default=None, description="The value, as text.")
    version: int | None = Field(default=None, description="Version of the asset in the hub that it is of.")
    source_version: Text | None = Field(
        default=None, description="The system's version of its record; none for what stood before the report."
    )
    seen: dict[str, int] = Field(
        default={}, description="Version vector of the value: hub version last seen of each system."
    )


class ConflictFound(Model):
    """A report said of a field what cannot stand beside what another system said. Key: canonical id of the asset."""

    canonical_id: Code = Field(description="Canonical id of the asset.")
    field: Code = Field(description="Name of the field.")
    policy: Code = Field(description="Policy of the field, which decided.")
    concurrent: bool = Field(description="True when neither system had seen what the other one said.")
    outcome: ConflictOutcome = Field(
        description="REFUSED: what the report said lost. REPLACED: it won over what stood. WAITING: a person decides."
    )
    standing: ConflictSide = Field(description="What stands now.")
    lost: ConflictSide = Field(description="What does not.")
    recorded_at: AwareDatetime = Field(description="When the reporting system recorded its word (UTC).")
