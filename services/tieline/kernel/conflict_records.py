"""Conflicts as events: what stood against what, what became of it, and how it ended."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.vocabulary import Code, Model, Text


class ConflictOutcome(StrEnum):
    """What became of the word that lost."""

    UNKNOWN = "UNKNOWN"
    REFUSED = "REFUSED"
    REPLACED = "REPLACED"
    WAITING = "WAITING"


class ConflictResolution(StrEnum):
    """How a conflict ended."""

    UNKNOWN = "UNKNOWN"
    AGREED = "AGREED"
    TAKEN_OVER = "TAKEN_OVER"
    REMOVED = "REMOVED"


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


class ConflictResolved(Model):
    """A system's word no longer stands against another's. Key: canonical id of the asset."""

    canonical_id: Code = Field(description="Canonical id of the asset.")
    field: Code = Field(description="Name of the field.")
    system: Code = Field(description="System that had said otherwise.")
    resolution: ConflictResolution = Field(
        description="AGREED: the system now says what stands. TAKEN_OVER: what it had said stands now, or what it said "
        "since. REMOVED: its record is gone."
    )
    standing_value: Text | None = Field(default=None, description="The value that stands now, as text.")
    foreign_value: Text | None = Field(default=None, description="What the system had said, as text.")
    detected_at: AwareDatetime = Field(description="When the conflict was first seen (UTC).")
    recorded_at: AwareDatetime = Field(description="When the system whose word ended it recorded that (UTC).")
