"""The kinds of record a profile maps: their paths, the keys that every record has, and the fields of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

from tieline.connectors.unio24.rules import Condition, Fields, Key, Part, UrlPath
from tieline.kernel.cost_records import ReceiverKind
from tieline.kernel.vocabulary import Code, Quantity


class Resource(Part):
    """One kind of record: its paths and the keys that every record has."""

    list_path: UrlPath = Field(description="Path that lists the records.")
    item_path: UrlPath = Field(description="Path of one record; placeholders in braces.")
    items: Key = Field(default="items", description="Key of the list within the answer.")
    version: Key = Field(description="Key of the record's version.")
    modified_at: Key = Field(description="Key of the record's modification time.")
    modified_format: str = Field(default="iso", description="Format of that time, as for dates; UTC unless it says.")


class AssetResource(Resource):
    """Assets: the register."""

    id: Key = Field(description="Key of the record's immutable id.")
    reference: Key = Field(description="Key of the (custom) field that holds our reference; unique on their side.")
    reference_parameter: Key = Field(description="Query parameter that finds a record by our reference.")
    search: Mapping[Literal["serial_number", "po_line_ref"], Key] = Field(
        default_factory=dict, description="Canonical field to the query parameter that finds records by it."
    )
    on_create: Mapping[str, str | int | bool] = Field(
        default_factory=dict, description="Their keys and fixed values to send with a new record, unless mapped."
    )
    fields: Fields = Field(description="Canonical field to theirs.")


class BookResource(Resource):
    """Finance panels: the read-only copy of the ERP's books. item_path takes {asset_id} and {book_id}."""

    asset_id: Key = Field(description="Key of the id of the panel's asset.")
    fields: Fields = Field(description="Canonical field to theirs.")
    lines: Key = Field(description="Key of the schedule's lines.")
    line_fields: Fields = Field(description="Canonical field of a line to theirs.")


class ReceiverShare(BaseModel):
    """One receiver of a cost line as asset management says it: its share in per cent of the line."""

    kind: ReceiverKind = Field(description="What bears a share of the line.")
    code: Code = Field(description="Its code.")
    percent: Decimal = Field(description="Its share in per cent, as exact as it stands there.")


class ReceiverRule(Part):
    """Where a line of a cost document says who bears it."""

    path: Key = Field(description="Key of the list within the line; a line without it is the document's cost centre's.")
    fields: Fields = Field(description="kind, code and percent (of the line) to theirs.")


class CostResource(Resource):
    """Cost documents of completed work orders."""

    id: Key = Field(description="Key of the document's immutable id.")
    fields: Fields = Field(description="Canonical field to theirs.")
    lines: Key = Field(description="Key of the document's lines.")
    line_fields: Fields = Field(description="Canonical field of a line to theirs.")
    receivers: ReceiverRule | None = Field(default=None, description="Who bears a line; none: they do not say it.")


class AuditResource(Resource):
    """Physical audits: one record for a whole audit with a line for each thing, or one for each thing."""

    id: Key = Field(description="Key of the record's immutable id.")
    complete: Condition | None = Field(
        default=None,
        description="When an audit is complete; others are left until they are, because a result may still change. "
        "Without it all are read.",
    )
    fields: Fields = Field(default_factory=dict, description="Canonical field to theirs, in the record itself.")
    lines: Key | None = Field(default=None, description="Key of the list of things; none: the record is one thing.")
    line_id: Key | None = Field(
        default=None,
        description="Key of a line's number or id; no two lines of an audit share it, and it never changes.",
    )
    line_fields: Fields = Field(default_factory=dict, description="Canonical field to theirs, in the line.")


class LinkShare(BaseModel):
    """A link of equipment and fixed asset as asset management says it; without a share it is of the whole."""

    equipment_native_id: Code = Field(description="Their id of the equipment's record.")
    asset_system: Code | None = Field(
        default=None, description="System of the fixed asset's record, by its name in the landscape; none: their own."
    )
    asset_native_id: Code = Field(description="Id of the fixed asset's record in that system.")
    percent: Decimal | None = Field(default=None, description="The equipment's share that the asset is, in per cent.")
    share_part: int | None = Field(default=None, description="Instead: numerator of the share, 1 of 3 for a third.")
    share_whole: int | None = Field(default=None, description="Denominator of the share.")
    quantity: Quantity | None = Field(default=None, description="Units of the asset that the equipment is.")
    valid_from: dt.date = Field(description="First day on which it holds.")
    valid_to: dt.date | None = Field(
        default=None, description="Last day on which it holds; none: until further notice."
    )


class LinkResource(Resource):
    """Which equipment is which fixed asset, many to many."""

    id: Key = Field(description="Key of the record's immutable id.")
    fields: Fields = Field(description="Field of the link to theirs.")


class ReferenceResource(Resource):
    """One family of reference records: cost centres, locations, employees, suppliers, asset classes or accounts."""

    id: Key = Field(description="Key of the record's immutable id.")
    deleted: Condition | None = Field(default=None, description="When a record that is still listed counts as deleted.")
    fields: Fields = Field(description="Canonical field to theirs.")
