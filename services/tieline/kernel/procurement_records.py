"""Where purchases stand: one row per order, kept by accept and read by people. Mirrors Avro as ``model`` does."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import Field

from tieline.kernel.vocabulary import Code, Currency, Model, Text


class StepStatus(StrEnum):
    """Where a step of a purchase stands."""

    UNKNOWN = "UNKNOWN"
    DONE = "DONE"
    PARTLY = "PARTLY"
    WAITING = "WAITING"
    NOT_NEEDED = "NOT_NEEDED"


OPEN = frozenset({StepStatus.PARTLY, StepStatus.WAITING})


class PurchaseStep(Model):
    """One step of a purchase. Nothing is kept of being late: a day that passes changes no row; see ``is_late``."""

    name: Code = Field(description="approved, received, invoiced, capitalised, in service or closed.")
    status: StepStatus = Field(description="Where it stands.")
    done_on: dt.date | None = Field(default=None, description="Business date on which it was done; none while open.")
    due_on: dt.date | None = Field(default=None, description="Last day in time; none while the step before is open.")
    begins_on: dt.date | None = Field(
        default=None, description="Day the step before was done; none while that is open."
    )
    waits_for: Text | None = Field(default=None, description="What it waits for, for people; none when it is done.")

    def is_late(self, today: dt.date) -> bool:
        """Whether it is open past its day."""
        return self.status in OPEN and self.due_on is not None and today > self.due_on


class PurchaseProcess(Model):
    """Where one purchase order stands on its way from approval to closure. Key: purchase order id."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    version: int = Field(description="Version of this row: one more with each change.")
    company: Code = Field(description="Company code.")
    po_number: Text | None = Field(default=None, description="Number for people.")
    supplier: Text | None = Field(default=None, description="Supplier's code.")
    currency: Currency = Field(description="ISO 4217 code of the order.")
    steps: tuple[PurchaseStep, ...] = Field(description="The six steps, in order.")
    next_step: Text | None = Field(default=None, description="First open step; none once the purchase has ended.")

    def waiting(self) -> PurchaseStep | None:
        """The first open step."""
        return next((step for step in self.steps if step.status in OPEN), None)

    def late(self, today: dt.date) -> PurchaseStep | None:
        """The first step that is open past its day."""
        return next((step for step in self.steps if step.is_late(today)), None)
