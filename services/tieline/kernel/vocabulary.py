"""What every record of the canonical model is made of: texts, codes, exact amounts, origins.

Every class of the ``*_records`` modules mirrors one Avro record under ``schemas/avro`` (a test compares them field by
field). All are frozen. In a *report*, ``None`` means "this system does not say", never "empty".
Money is an exact decimal of at most 20 digits, 4 of them after the point, with its currency (Invariant 11).
Dates are calendar dates of the business; instants are UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(max_length=4000)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Period = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{3}$")]


@dataclass(frozen=True, slots=True)
class Exact:
    """A check of a number: at most ``digits`` digits, at most ``scale`` of them after the point."""

    digits: int
    scale: int
    usual: Decimal

    @classmethod
    def of(cls, digits: int, scale: int) -> Exact:
        """The check of so many digits."""
        return cls(digits, scale, Decimal(1).scaleb(-scale))

    def __call__(self, value: Decimal) -> Decimal:
        """The number. Raises ``ValueError`` for one that money cannot be."""
        # As Avro gives it: exactly so many digits after the point, which no infinity has. The rest is for the others.
        if value.same_quantum(self.usual) and value.adjusted() < self.digits - self.scale:
            return value
        # Invariant 11: NaN, infinities and over-long numbers never enter the hub as money.
        if not value.is_finite():
            raise ValueError("must be a finite number")
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > self.scale:
            raise ValueError(f"must have at most {self.scale} digits after the point")
        if value.adjusted() >= self.digits - self.scale and value != 0:
            raise ValueError(f"must have at most {self.digits - self.scale} digits before the point")
        return value


Amount = Annotated[Decimal, AfterValidator(Exact.of(20, 4))]
UnitPrice = Annotated[Decimal, AfterValidator(Exact.of(20, 6))]
Quantity = Annotated[Decimal, AfterValidator(Exact.of(18, 6))]
FxRate = Annotated[Decimal, AfterValidator(Exact.of(18, 9))]


class Model(BaseModel):
    """Base of every record: immutable, closed, strict about types."""

    # Built at the first use: there are some hundreds, and no process needs more than some dozens.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Money(Model):
    """An amount in a currency, rounded to the currency's minor unit before it is published."""

    amount: Amount = Field(description="Exact decimal, never a float.")
    currency: Currency = Field(description="ISO 4217 code.")


class Origin(Model):
    """Which record of which system a report speaks of."""

    system: Code = Field(description="Name of the system in the landscape.")
    entity: Code = Field(
        description="asset, book, movement, purchase-order, purchase-line, receipt, invoice, cost-document, "
        "equipment-link, audit, fiscal-period, depreciation-run or a family of reference records, e.g. cost-centre."
    )
    native_id: Code = Field(description="The system's own, immutable identifier of the record.")
    source_version: Text = Field(description="The system's version of the record: ETag, counter or modification time.")
    recorded_at: AwareDatetime = Field(description="When the system recorded this state (UTC).")
    hub_ref: Text | None = Field(default=None, description="The canonical id that the record itself carries, if any.")


class Accepted(Model):
    """What every accepted event says beside its fields."""

    version: int = Field(description="Version of the entity in the hub; grows by one with each accepted change.")
    origin_system: Code = Field(description="System whose report caused it.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    effective_date: dt.date = Field(description="Business date from which it holds.")
    recorded_at: AwareDatetime = Field(description="When the source recorded it (UTC).")
    posting_period: Period | None = Field(default=None, description="Fiscal period of a financial event.")
    changed_fields: tuple[str, ...] = Field(description="Names of the fields this event changed.")
    posting_date: dt.date | None = Field(
        default=None, description="Date to post on, where the effective date's own period is closed; else none."
    )
    returned_fields: tuple[str, ...] = Field(
        default=(),
        description="Fields to write back to the origin system too: an older value is on its way there.",
    )


class Dispatch(Model):
    """What every command says beside its content."""

    command_id: Code = Field(description="Same for the same effect: target, entity, id, version and repair.")
    target: Code = Field(description="System that must do it.")
    version: int = Field(description="Version of the entity this command brings the target to.")
    repair_id: Text | None = Field(default=None, description="Drift that this command repairs; none in normal flow.")
