"""What the hub remembers for itself: identity, deliveries, holds, positions, observations and drift.

Each mirrors an Avro record, like the canonical model.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.asset_records import AssetFields, AssetReport, AssetState
from tieline.kernel.book_records import BookFields
from tieline.kernel.cost_records import CostFields, CostReport
from tieline.kernel.ledger_records import LedgerBalance
from tieline.kernel.order_records import OrderFields
from tieline.kernel.vocabulary import Code, Model, Period, Text


class LinkStatus(StrEnum):
    """Standing of a cross-reference."""

    UNKNOWN = "UNKNOWN"
    LINKED = "LINKED"
    PROPOSED = "PROPOSED"
    RETIRED = "RETIRED"
    REJECTED = "REJECTED"
    MERGED_INTO = "MERGED_INTO"


class XRef(Model):
    """One record of one system is this canonical entity. Key: system/entity/native id."""

    system: Code = Field(description="Name of the system.")
    entity: Code = Field(description="Kind of record: asset, purchase-order, purchase-line, cost-document.")
    native_id: Code = Field(description="The system's id of the record.")
    canonical_id: Code = Field(description="The hub's id of the thing.")
    status: LinkStatus = Field(
        description="LINKED counts; PROPOSED waits for a person, REJECTED was refused by one; RETIRED is history; "
        "MERGED_INTO is a second record of the thing, whose reports go with it and change none of its fields."
    )
    rule: Code = Field(
        description="Rule that made the link: minted, hub-ref, peer-number, po-line, serial, result, person."
    )
    match_keys: tuple[str, ...] = Field(description="Keys by which another system's record of it may be recognised.")
    linked_at: AwareDatetime = Field(description="When the link was made (UTC).")
    confidence_percent: int | None = Field(default=None, description="How sure the rule is, 0 to 100, where it says.")
    linked_by: Text | None = Field(default=None, description="Account that decided; none where a rule did.")
    valid_from: dt.date | None = Field(default=None, description="First day on which the link holds, where known.")
    valid_to: dt.date | None = Field(default=None, description="Last day on which it held; none while it holds.")
    merged_from: tuple[str, ...] = Field(default=(), description="Canonical ids it had before merges, oldest first.")
    rejected: tuple[str, ...] = Field(default=(), description="Canonical ids that a person said it is not.")


class LinkAction(StrEnum):
    """What a person decided about identity."""

    UNKNOWN = "UNKNOWN"
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    MERGE = "MERGE"
    UNMERGE = "UNMERGE"


class LinkDecision(Model):
    """A person's word on identity. CONFIRM and REJECT name a proposed record, MERGE and UNMERGE two canonical ids."""

    decision_id: Code = Field(description="Identifier of the decision.")
    action: LinkAction = Field(
        description="CONFIRM: the record is the thing. REJECT: it is not, never propose it again. "
        "MERGE: other_id is the same thing as canonical_id, which survives. UNMERGE: it is not, after all."
    )
    mapping: Text | None = Field(default=None, description="The proposed record: system/entity/native id.")
    canonical_id: Text | None = Field(
        default=None, description="The thing; for CONFIRM and REJECT the one that was proposed, if none is given."
    )
    other_id: Text | None = Field(default=None, description="The thing that is merged or becomes separate again.")
    by: Code = Field(description="Account that decided.")
    reason: Text = Field(description="Why, in the person's words.")
    at: AwareDatetime = Field(description="When it was decided (UTC).")


class AssetMerge(Model):
    """What a merge changed, so that it can be undone. Key: canonical id of the merged asset."""

    merged_id: Code = Field(description="Canonical id of the asset that counts as another one now.")
    survivor_id: Code = Field(description="Canonical id of the asset it counts as.")
    merged_before: AssetState = Field(description="The merged asset before the merge.")
    survivor_before: AssetState = Field(description="The survivor before the merge.")
    survivor_after: AssetState = Field(description="The survivor right after the merge.")
    systems: tuple[str, ...] = Field(description="Systems whose record moved to the survivor.")
    books: tuple[str, ...] = Field(description="Depreciation books that moved with them.")
    by: Code = Field(description="Account that decided.")
    reason: Text = Field(description="Why, in the person's words.")
    at: AwareDatetime = Field(description="When it was decided (UTC).")


class Stage(StrEnum):
    """How far a delivery got. UNKNOWN: it ended, and nobody knows whether it took effect."""

    UNKNOWN = "UNKNOWN"
    INTENT = "INTENT"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"


class LedgerEntry(Model):
    """One target's last delivery of one entity. Key: target/entity/canonical id; a book's is asset id|book id."""

    target: Code = Field(description="Target system.")
    entity: Code = Field(description="Kind of entity.")
    canonical_id: Code = Field(description="Canonical id of the entity.")
    command_id: Code = Field(description="Command the entry speaks of: the effect key.")
    version: int = Field(description="Version that command brings the target to.")
    applied_version: int = Field(description="Highest version the target is known to hold; moves only when confirmed.")
    stage: Stage = Field(
        description="INTENT before the call, then its outcome. "
        "INTENT after a crash, and UNKNOWN, are read back before a retry."
    )
    native_id: Text | None = Field(default=None, description="The target's id of the record.")
    number: Text | None = Field(default=None, description="The target's number of the record for people.")
    source_version: Text | None = Field(default=None, description="The target's version of the record.")
    digest: Text | None = Field(default=None, description="Hash of what the target returned (Invariant 8).")
    reason: Text | None = Field(default=None, description="Why it was rejected.")
    at: AwareDatetime = Field(description="When this was recorded (UTC).")
    recorded_at: AwareDatetime | None = Field(
        default=None, description="When the target recorded what it returned, by its own clock (UTC)."
    )


class WaitingLetter(Model):
    """A dead letter that keeps its key parked, or one that waits behind it."""

    command_id: Code = Field(description="Command in the letter.")
    topic: Code = Field(description="Topic the record came from.")
    partition: int = Field(description="Partition it came from.")
    offset: int = Field(description="Offset it came from.")
    version: int = Field(
        default=0,
        description="Version the command brings the target to; 0 for one that no later command can replace.",
    )
    fields: tuple[str, ...] = Field(
        default=(),
        description="Fields to which the command gives a value, or which it clears, where it says only some.",
    )
    native_id: Text | None = Field(default=None, description="The target's id of the record, where the command has it.")


class KeyState(StrEnum):
    """How a key stands."""

    UNKNOWN = "UNKNOWN"
    FLOWING = "FLOWING"  # each command as it comes
    RETRYING = "RETRYING"  # its first command failed and is tried again; those behind it wait in the topic
    PARKED = "PARKED"  # its first command is a dead letter; those behind it wait as letters
    DRAINING = "DRAINING"  # the first letter is resolved, those behind it follow one by one


class ParkedKey(Model):
    """A key whose deliveries wait, in order, behind a failed one. Key: target/entity/canonical id."""

    target: Code = Field(description="Target system.")
    entity: Code = Field(description="Kind of entity.")
    canonical_id: Code = Field(description="Canonical id of the entity.")
    letters: tuple[WaitingLetter, ...] = Field(description="Dead letters of this key, oldest first.")
    reason: Text = Field(description="Why the first one failed.")
    since: AwareDatetime = Field(description="When the key was parked (UTC).")
    state: KeyState = Field(
        default=KeyState.PARKED,
        description="PARKED: the first letter waits for a decision; DRAINING: one before it is resolved, and it may "
        "follow.",
    )


A_PERSON = "person"
"""What a held report waits for when nothing that is under way will release it."""


class HeldReport(Model):
    """A report that waits for a mapping. Key: system/entity/native id of the report."""

    waits_for: Code = Field(description="The mapping that releases it: system/entity/native id.")
    reason: Text = Field(description="Why it waits.")
    topic: Code = Field(description="Topic it came from.")
    partition: int = Field(description="Partition it came from.")
    offset: int = Field(description="Offset it came from.")
    key: Text = Field(description="Key of the record.")
    value: bytes = Field(description="The record's bytes, untouched.")
    since: AwareDatetime = Field(description="When it was held (UTC).")
    needs: tuple[str, ...] = Field(
        default=(), description="Mappings of the assets it is about, its own first; empty: what it waits for is all."
    )


class PeriodHold(Model):
    """A report that waits for a fiscal period or a cost centre. Key: lane|place. Exactly one of the reports is set."""

    lane: Code = Field(description="What waits together, in order: asset/asset id, or cost/cost document id.")
    place: int = Field(description="Place in the lane; the lowest is the first to be released.")
    reason: Text = Field(description="Why it waits, with the period, the cost centre or what it waits behind.")
    company: Text | None = Field(default=None, description="Company whose period is closed; none for one that follows.")
    period: Period | None = Field(default=None, description="The closed period; none for one that follows.")
    effective_date: dt.date = Field(description="The report's own date, which is never changed.")
    canonical_id: Code = Field(description="Canonical id of the asset or cost document.")
    asset_id: Text | None = Field(default=None, description="Canonical id of the asset a cost document is about.")
    correlation_id: Text | None = Field(default=None, description="Correlation id of the report's record.")
    asset: AssetReport | None = Field(default=None, description="The report, if it is of an asset.")
    cost: CostReport | None = Field(default=None, description="The report, if it is of a cost document.")
    since: AwareDatetime = Field(description="When it was held (UTC).")
    seen: int = Field(
        default=0, description="The hub's version of the asset that its system had seen when it spoke; 0: none."
    )


class Conflict(Model):
    """A system said what does not stand: no field of its own, an edit unseen, what cannot be. Key: id|field|system."""

    canonical_id: Code = Field(
        description="Canonical id of the asset, order or document; family/company|code of a reference record."
    )
    field: Code = Field(description="Name of the field.")
    owner: Code = Field(description="System that owns the field.")
    system: Code = Field(description="System that said otherwise.")
    owned_value: Text | None = Field(default=None, description="The owner's value, as text.")
    foreign_value: Text | None = Field(default=None, description="The other system's value, as text.")
    detected_at: AwareDatetime = Field(description="When it was first seen (UTC).")
    owned_version: int | None = Field(
        default=None, description="The hub's version of the asset with the owner's value."
    )
    foreign_version: Text | None = Field(
        default=None, description="The other system's version of its record; none for a word that stood before."
    )
    policy: Text | None = Field(default=None, description="Policy of the field, which decided.")
    concurrent: bool = Field(default=False, description="True when neither system had seen what the other one said.")
    owned_seen: dict[str, int] = Field(
        default={}, description="Version vector of the owner's value: hub version last seen of each system."
    )
    foreign_seen: dict[str, int] = Field(
        default={}, description="Version vector of the other value: hub version last seen of each system."
    )
    reason: Text | None = Field(default=None, description="Why it was not taken over; none: another system owns it.")
    remedy: Text | None = Field(default=None, description="What a person can do about it, where the hub can say.")
    proposal: AssetReport | None = Field(
        default=None,
        description="What is heard again when the reference record it failed on changes; none: nothing is.",
    )


class SourcePosition(Model):
    """How far a source has read its system. Key: system."""

    system: Code = Field(description="Name of the system.")
    cursors: dict[str, str] = Field(description="Opaque cursor per stream.")
    polled_at: AwareDatetime = Field(description="When the last poll ended (UTC).")


class Observed(Model):
    """One record as its system holds it. Key: system/entity/native id. Exactly one of the field groups is set."""

    run_id: Code = Field(description="Reconciliation run that asked for it.")
    system: Code = Field(description="Name of the system.")
    entity: Code = Field(description="Kind of record.")
    native_id: Code = Field(description="The system's id of the record.")
    hub_ref: Text | None = Field(default=None, description="Canonical id that the record carries.")
    asset: AssetFields | None = Field(default=None, description="The asset as the system holds it.")
    book: BookFields | None = Field(default=None, description="The depreciation book as the system holds it.")
    purchase_order: OrderFields | None = Field(default=None, description="The order as the system holds it.")
    cost_document: CostFields | None = Field(default=None, description="The cost document as the system holds it.")
    unreadable: Text | None = Field(default=None, description="Why the record could not be mapped, if so.")
    ledger_balance: LedgerBalance | None = Field(
        default=None, description="The balance of a control account in the system's general ledger."
    )


class RunRequested(Model):
    """Somebody asked for a reconciliation."""

    run_id: Code = Field(description="Identifier of the run.")
    systems: tuple[str, ...] = Field(description="Systems to read back.")
    requested_at: AwareDatetime = Field(description="When it was asked (UTC).")


class SystemObserved(Model):
    """A source has read its whole system for a run: the cut, in log positions ("topic/partition" to next offset)."""

    run_id: Code = Field(description="Identifier of the run.")
    system: Code = Field(description="Name of the system.")
    complete: bool = Field(description="False when the read failed: nothing may be concluded (Invariant 12).")
    reason: Text | None = Field(default=None, description="Why it is incomplete.")
    counts: dict[str, int] = Field(description="Records read per entity.")
    began: dict[str, int] = Field(description="End offsets of state, ledger and command topics before the read.")
    reported: dict[str, int] = Field(description="End offsets of the raw topic after the closing catch-up poll.")
    finished_at: AwareDatetime = Field(description="When the read ended (UTC).")


class DriftKind(StrEnum):
    """How a system's record differs from what the hub believes."""

    UNKNOWN = "UNKNOWN"
    MISSING = "MISSING"
    EXTRA = "EXTRA"
    STALE = "STALE"
    MISMATCH = "MISMATCH"
    IN_FLIGHT = "IN_FLIGHT"
    DUPLICATE = "DUPLICATE"
    GHOST = "GHOST"
    ZOMBIE = "ZOMBIE"
    LEDGER_GAP = "LEDGER_GAP"
    SCHEDULE = "SCHEDULE"


class Drift(Model):
    """One difference between a system and the hub. Key: drift id."""

    drift_id: Code = Field(description="Stable: hash of system, entity, record and field.")
    run_id: Code = Field(description="Run that last saw it.")
    kind: DriftKind = Field(
        description="MISSING: never there. GHOST: the books hold it, asset management no longer does; ZOMBIE: the "
        "other way round. EXTRA: unknown. DUPLICATE: a second record. STALE: an older version. MISMATCH: another "
        "value. LEDGER_GAP: subledger and control account differ. SCHEDULE: not the reference schedule. IN_FLIGHT: "
        "explained by what is under way."
    )
    system: Code = Field(description="System that differs.")
    entity: Code = Field(description="Kind of record.")
    canonical_id: Text | None = Field(default=None, description="The hub's id, if the record is known.")
    native_id: Text | None = Field(default=None, description="The system's id, if it has a record.")
    field: Text | None = Field(default=None, description="Field that differs, for a mismatch.")
    expected: Text | None = Field(default=None, description="What the hub believes, as text.")
    found: Text | None = Field(default=None, description="What the system holds, as text.")
    owner: Text | None = Field(default=None, description="System that owns the field.")
    cause: Text | None = Field(default=None, description="Where it was found: foreign edit, not delivered, parked ...")
    amount: Text | None = Field(default=None, description="Difference in money, as text, where it has one.")
    currency: Text | None = Field(default=None, description="Currency of the difference.")


class RunFinished(Model):
    """A reconciliation ended."""

    run_id: Code = Field(description="Identifier of the run.")
    conclusive: bool = Field(description="False when a read was incomplete.")
    compared: int = Field(description="Records compared.")
    drifts: int = Field(description="Differences found, those in flight left out.")
    in_flight: int = Field(description="Differences explained by what is still under way.")
    consistency_percent: Text = Field(description="Share of compared records without drift.")
    finished_at: AwareDatetime = Field(description="When it ended (UTC).")


class LetterAction(StrEnum):
    """What a person decided about a dead letter."""

    UNKNOWN = "UNKNOWN"
    REPLAY = "REPLAY"
    DISCARD = "DISCARD"


class LetterCase(Model):
    """What was done about one dead letter. Key: letter id, which is consumer/partition/offset of the letter."""

    letter_id: Code = Field(description="Which letter: consumer/partition/offset on the consumer's dead-letter topic.")
    action: LetterAction = Field(description="REPLAY: sent back to where it came from. DISCARD: given up.")
    by: Code = Field(description="Account that decided.")
    reason: Text | None = Field(default=None, description="Why, in the person's words; always there for DISCARD.")
    at: AwareDatetime = Field(description="When it was done (UTC).")
    attempt: int = Field(description="Attempt that had failed: 1 for a record that was never replayed.")
