"""What sinks are told to do, and what they answered."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import Field

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.book_records import BookFields
from tieline.kernel.cost_records import CostFields, CostKind, ReceiverKind
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.vocabulary import Code, Dispatch, Model, Money, Text


class WriteAsset(Model):
    """Make the target's record of this asset agree with ``fields``: create it, change it, close it.

    On a record that exists, only ``writable_fields`` may be changed: the target owns the others and may be ahead of us.
    """

    dispatch: Dispatch = Field(description="Command id, target, version and repair.")
    asset_id: Code = Field(description="Canonical id of the asset.")
    native_id: Text | None = Field(default=None, description="The target's id of the asset, where the hub knew it.")
    fields: AssetFields = Field(description="What the record shall say.")
    writable_fields: tuple[str, ...] = Field(
        description="Fields the sink may change on a record that exists (the target owns the others); all at creation."
    )
    effective_date: dt.date | None = Field(
        default=None, description="Business date of the change; the target's codes are those of that day."
    )
    cleared_fields: tuple[str, ...] = Field(
        default=(), description="Writable fields that shall be empty; of any other, no value says nothing."
    )


class WriteBook(Model):
    """Show this book and schedule, read-only, at the target's record of the asset; replaces any earlier one."""

    dispatch: Dispatch = Field(description="Command id, target, version and repair.")
    asset_id: Code = Field(description="Canonical id of the asset.")
    native_id: Text | None = Field(default=None, description="The target system's id of the record.")
    fields: BookFields = Field(description="The book to show, schedule included.")


class CostPosting(Model):
    """A part of a cost line, as one receiver bears it."""

    line_no: int = Field(description="Position of the line in the document, from 1.")
    kind: CostKind = Field(description="What the line paid for.")
    receiver_kind: ReceiverKind = Field(description="What the receiver is.")
    receiver: Code = Field(description="Its code.")
    amount: Money = Field(description="Its part of the line; negative for a credit.")


class PostCost(Model):
    """Post this cost document once."""

    dispatch: Dispatch = Field(description="Command id, target, version and repair.")
    cost_doc_id: Code = Field(description="Canonical id of the cost document.")
    asset_id: Text | None = Field(
        default=None, description="Canonical id of the asset the costs belong to; none for costs without one."
    )
    asset_number: Text | None = Field(default=None, description="The target's own number of the asset, where known.")
    fields: CostFields = Field(description="The document to post.")
    posting_date: dt.date | None = Field(
        default=None, description="Date to post on, where the effective date's own period is closed; else none."
    )
    postings: tuple[CostPosting, ...] = Field(
        default=(), description="What each receiver bears of each line, in order; none: the document's cost centre all."
    )


class RemoveRecord(Model):
    """Remove one surplus record by its native id; only a person's repair plan issues it."""

    dispatch: Dispatch = Field(description="Command id, target, version and repair.")
    entity: Code = Field(description="Kind of entity.")
    record_id: Code = Field(description="Canonical or native id used as the ledger key.")
    native_id: Code = Field(description="The target system's id of the record.")


Command: TypeAlias = WriteAsset | WriteBook | PostCost | RemoveRecord | FamilyCommand
"""Every command there is."""


class SettledAs(StrEnum):
    """How a command ended."""

    UNKNOWN = "UNKNOWN"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    SUPERSEDED = "SUPERSEDED"


class CommandSettled(Model):
    """A sink's answer to one command."""

    command_id: Code = Field(description="The command this answers.")
    target: Code = Field(description="The target system.")
    entity: Code = Field(description="Kind of entity.")
    canonical_id: Code = Field(description="Canonical id of the entity.")
    version: int = Field(description="Version of the entity that the command was to bring the target to.")
    outcome: SettledAs = Field(description="How the command ended.")
    native_id: Text | None = Field(default=None, description="The target system's id of the record.")
    number: Text | None = Field(default=None, description="The target's number for people, if it has one.")
    reason: Text | None = Field(default=None, description="Why, when it did not simply succeed.")


Entity = Literal["asset", "book", "purchase-order", "cost-document"]
