"""Reference records: cost centres, locations, employees, suppliers, asset classes, accounts. One shape for all.

They go by their code, not by an id of the hub's, and hold from day to day. A system may keep one record of a code, or
one for each span of days: the code's state has them all. Of an employee there is only the opaque id (T40,
kernel/privacy.py). Every class mirrors one Avro record, like those of the other kernel modules of that kind.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from pydantic import AwareDatetime, Field

from tieline.kernel.errors import Rejected
from tieline.kernel.vocabulary import Accepted, Code, Model, Origin, Text

Family = Literal["cost-centre", "location", "employee", "supplier", "asset-class", "gl-account"]
CodeListName = Literal["cost-centre", "location", "asset-class", "account"]

CENTRE, EMPLOYEE = "cost-centre", "employee"
# Each family, and the code list by which a system's code becomes the canonical one, where there can be one.
FAMILIES: Mapping[str, CodeListName | None] = MappingProxyType(
    {
        "cost-centre": "cost-centre",
        "location": "location",
        "employee": None,
        "supplier": None,
        "asset-class": "asset-class",
        "gl-account": "account",
    }
)
EVERY_COMPANY = "*"


class ReferenceStatus(StrEnum):
    """Whether a reference record may be used. LOCKED takes nothing new for now, CLOSED never again; UNKNOWN waits."""

    UNKNOWN = "UNKNOWN"
    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    CLOSED = "CLOSED"


class ReferenceFields(Model):
    """One reference record: what stands behind a code, from a first to a last day."""

    code: Code = Field(
        description="The code; of an employee the opaque id by which assets name their custodian, never a name."
    )
    name: Text | None = Field(default=None, description="What it is called, for people; never set for an employee.")
    company: Text | None = Field(default=None, description="Company code; none: the record is every company's.")
    parent: Text | None = Field(default=None, description="Code of the record of the same family above it.")
    valid_from: dt.date | None = Field(default=None, description="First day on which it holds; none: ever since.")
    valid_to: dt.date | None = Field(default=None, description="Last day on which it holds; none: open.")
    status: ReferenceStatus = Field(description="Whether it may be used.")
    balance_sheet_relevant: bool | None = Field(
        default=None,
        description="Of a cost centre: True when a change to or from it moves balance sheet items (another profit "
        "centre), so that a person must post it; none: nothing is said, as for False.",
    )

    def holds_on(self, day: dt.date) -> bool:
        """Whether the record holds on that day; its status is another question."""
        return (self.valid_from or dt.date.min) <= day <= (self.valid_to or dt.date.max)


class ReferenceReport(Model):
    """One system's word on one reference record. ``origin.entity`` is the family."""

    origin: Origin = Field(description="Which record of which system this speaks of; its entity is the family.")
    fields: ReferenceFields = Field(description="The record, with the system's own code.")
    deleted: bool = Field(
        default=False, description="True when the record is gone: an employee's then leaves nothing but a pseudonym."
    )


class ReferenceEvent(Model):
    """Shape shared by ReferenceAdded, ReferenceChanged and ReferenceRemoved."""

    reference_id: Code = Field(description="company|code; * stands for every company.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: ReferenceFields = Field(description="The record from now on; of a removed one, as it was.")


class ReferenceRecord(Model):
    """One record behind a code, as its owner last said it."""

    native_id: Code = Field(description="The owner's id of the record.")
    recorded_at: AwareDatetime = Field(description="When the owner recorded this state (UTC).")
    fields: ReferenceFields = Field(description="The record, with the canonical code.")


class ReferenceState(Model):
    """What the hub knows of one code of one family. Key: company|code."""

    reference_id: Code = Field(description="company|code; * stands for every company.")
    version: int = Field(description="Version of the code in the hub: one more with each accepted change.")
    origin_system: Code = Field(description="System that owns the code's records.")
    records: tuple[ReferenceRecord, ...] = Field(description="Its records, those of the earliest first day first.")

    def on(self, day: dt.date) -> ReferenceFields | None:
        """The record that holds on a day; of several the one that began last, None if none does."""
        holding = [one for one in self.records if one.fields.holds_on(day)]
        latest = max(holding, key=lambda one: (one.fields.valid_from or dt.date.min, one.recorded_at), default=None)
        return latest.fields if latest else None


def reference_key(company: str | None, code: str) -> str:
    """``company|code``; ``*`` stands for every company."""
    return f"{company or EVERY_COMPANY}|{code}"


def report_topic(family: str) -> str:
    """Where systems report a family. Raises ``Rejected`` for what is none."""
    if family not in FAMILIES:
        raise Rejected(
            f"{family!r} is no family of reference records; there are {', '.join(FAMILIES)}",
            field="origin.entity",
            remedy="correct the connector's mapping",
        )
    return f"reference.{family}.report.v1"


def event_topic(family: str) -> str:
    """Where the hub publishes what changed in a family."""
    return f"reference.{family}.event.v1"


def state_topic(family: str) -> str:
    """Where every code of a family stands."""
    return f"reference.{family}.state.v1"


REFERENCE_REPORTS = tuple(report_topic(family) for family in FAMILIES)
