"""What a general ledger says of the assets it controls; each class mirrors an Avro record, like the canonical model."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import Field

from tieline.kernel.vocabulary import Amount, Code, Currency, Model, Text


class ControlMeasure(StrEnum):
    """Which sum of the asset subledger an account controls."""

    UNKNOWN = "UNKNOWN"
    COST = "COST"
    ACCUMULATED_DEPRECIATION = "ACCUMULATED_DEPRECIATION"


class LedgerBalance(Model):
    """The balance of one control account, beside which the records of the subledger were read."""

    company: Code = Field(description="Company code.")
    account: Code = Field(description="Code of the account in the general ledger.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    as_of: dt.date = Field(description="Last date whose postings the balance includes.")
    measure: ControlMeasure = Field(description="Sum of the subledger that the account controls.")
    asset_classes: tuple[str, ...] = Field(
        default=(), description="Canonical classes of the assets booked on the account; none: every class."
    )
    book_id: Text | None = Field(
        default=None, description="Depreciation book that is posted to the account; none: the system has one book."
    )
    balance: Amount = Field(description="Debit minus credit of all posted moves, after the subledger was read.")
    balance_before: Amount = Field(
        description="The same, before the subledger was read; another one means that the account moved meanwhile."
    )
