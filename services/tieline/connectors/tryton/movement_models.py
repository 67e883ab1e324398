"""The shapes of what Tryton posts on an asset besides depreciation, with the names asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tieline.connectors.tryton.models import Coded, Company, Day, Exact, FiscalPeriod, Instant, Number, Row, Stamped

_COMPANY = ("company.party.code", "company.currency.code")
_PERIOD = ("period.start_date", *(f"period.fiscalyear.{name}" for name in ("name", "start_date", "end_date")))


class AccountType(Row):
    """What an account is: part of the balance sheet or of the income statement."""

    statement: str | None


class PostedAccount(Coded):
    """The account of a line, with its type."""

    type: AccountType | None = Field(alias="type.")


class PostedLine(Row):
    """A line of an account move."""

    debit: Exact
    credit: Exact
    account: PostedAccount = Field(alias="account.")


class Revision(Stamped):
    """``account.asset.revision``: value, residual value and end date from then on."""

    end_date: Day
    description: str | None


class MovedAsset(Row):
    """The asset that a move is of. ``move`` is the one that closed it."""

    comment: str | None
    move: int | None
    update_moves: tuple[int, ...] = Field(strict=False)
    customer_invoice_line: int | None
    revisions: tuple[Revision, ...] = Field(alias="revisions.", strict=False)


class AssetMove(Stamped):
    """``account.move`` that an update of an asset or its closing posted."""

    number: str | None
    state: Literal["posted"]
    date: Day
    company: Company = Field(alias="company.")
    period: FiscalPeriod = Field(alias="period.")
    lines: tuple[PostedLine, ...] = Field(alias="lines.", strict=False)
    asset: MovedAsset = Field(alias="origin.")


class CancellingMove(Stamped):
    """``account.move`` that cancels one of an asset: its exact opposite."""

    number: str | None
    state: Literal["posted"]
    date: Day
    description: str | None
    company: Company = Field(alias="company.")
    period: FiscalPeriod = Field(alias="period.")
    cancelled: AssetMove = Field(alias="origin.")


class UpdateMove(Row):
    """A move that an update posted, as far as its revision must know of it."""

    date: Day
    create_date: Instant


class LifeTemplate(Row):
    """How long Tryton proposes to depreciate a product, in months."""

    depreciation_duration: Number | None


class LifeProduct(Row):
    """The product of a revised asset."""

    template: LifeTemplate = Field(alias="template.")


class RevisedAsset(Row):
    """The asset of a revision, with all its revisions."""

    start_date: Day
    frequency: Literal["monthly", "yearly"]
    company: Company = Field(alias="company.")
    product: LifeProduct = Field(alias="product.")
    revisions: tuple[Revision, ...] = Field(alias="revisions.", strict=False)
    update_moves: tuple[UpdateMove, ...] = Field(alias="update_moves.", strict=False)


class AssetRevision(Revision):
    """A revision with its asset."""

    asset: RevisedAsset = Field(alias="asset.")


def _under(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names)


_STAMPS = ("create_date", "write_date")
_DOCUMENT = ("number", "state", "date", *_STAMPS, *_COMPANY, *_PERIOD)
_REVISION = ("end_date", "description", *_STAMPS)
MOVEMENT_FIELDS: tuple[str, ...] = (
    *_DOCUMENT,
    *_under("lines", ("debit", "credit", "account.code", "account.type.statement")),
    *_under("origin", ("comment", "move", "update_moves", "customer_invoice_line")),
    *_under("origin.revisions", _REVISION),
)
REVERSAL_FIELDS: tuple[str, ...] = (*_DOCUMENT, "description", *_under("origin", MOVEMENT_FIELDS))
REVISION_FIELDS: tuple[str, ...] = (
    *_REVISION,
    *_under("asset", ("start_date", "frequency", *_COMPANY, "product.template.depreciation_duration")),
    *_under("asset.revisions", _REVISION),
    *_under("asset.update_moves", ("date", "create_date")),
)
