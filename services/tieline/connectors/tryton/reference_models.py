"""The shapes of Tryton's reference records as this connector reads them, with the names asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from tieline.connectors.tryton.models import Coded, Company, Day, Row, Stamped


def _flag(value: object) -> bool:
    # On SQLite, Tryton gives 0 and 1.
    if value not in (0, 1):
        raise ValueError("must be true or false")
    return bool(value)


Flag = Annotated[bool, BeforeValidator(_flag)]
_STAMPS = ("create_date", "write_date")
_COMPANY = ("company.party.code", "company.currency.code")


class ParentAccount(Coded):
    """The account above another."""

    type: str | int | None


class CostCentre(Stamped):
    """``analytic_account.account`` of type normal."""

    code: str
    name: str
    state: Literal["draft", "opened", "closed"]
    active: Flag
    parent: ParentAccount | None = Field(alias="parent.")
    company: Company = Field(alias="company.")


class LedgerAccount(Stamped):
    """``account.account`` that is posted to."""

    code: str
    name: str
    closed: Flag
    start_date: Day | None
    end_date: Day | None
    parent: ParentAccount | None = Field(alias="parent.")
    company: Company = Field(alias="company.")


class Variant(Stamped):
    """A product of a template."""

    code: str | None
    active: Flag


class DepreciableTemplate(Stamped):
    """``product.template`` of type assets, with its products."""

    name: str
    active: Flag
    products: tuple[Variant, ...] = Field(alias="products.", strict=False)


class Supplier(Stamped):
    """``party.party`` that was ordered from."""

    code: str
    name: str | None
    active: Flag


class Superior(Row):
    """Whom an employee reports to."""

    party: Coded = Field(alias="party.")


class Employee(Stamped):
    """``company.employee``; the party's name is never asked for."""

    start_date: Day | None
    end_date: Day | None
    party: Coded = Field(alias="party.")
    supervisor: Superior | None = Field(alias="supervisor.")
    company: Company = Field(alias="company.")


CENTRE_FIELDS: tuple[str, ...] = (
    *("code", "name", "state", "active", "parent.code", "parent.type", *_STAMPS, *_COMPANY),
)
ACCOUNT_FIELDS: tuple[str, ...] = (
    *("code", "name", "closed", "start_date", "end_date", "parent.code", "parent.type", *_STAMPS, *_COMPANY),
)
TEMPLATE_FIELDS: tuple[str, ...] = (
    *("name", "active", *_STAMPS),
    *(f"products.{name}" for name in ("code", "active", *_STAMPS)),
)
PARTY_FIELDS: tuple[str, ...] = ("code", "name", "active", *_STAMPS)
EMPLOYEE_FIELDS: tuple[str, ...] = (
    *("start_date", "end_date", "party.code", "supervisor.party.code", *_STAMPS, *_COMPANY),
)
