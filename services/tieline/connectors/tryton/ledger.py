"""The accounts that control Tryton's assets: their balances, read as they are and mapped apart. The mapping is pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field, ValidationError

from tieline.connectors.tryton import wire
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.mapping import parse, path
from tieline.connectors.tryton.models import Company, Day, Exact, Row
from tieline.connectors.tryton.settings import ControlAccount
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.ledger_records import LedgerBalance
from tieline.kernel.protocols import RawItem

CONTROL_ACCOUNTS = "control-accounts"
FIELDS = ("code", "balance", "company.party.code", "company.currency.code")
AS_OF = "as_of"  # not Tryton's: the date its balance was asked for


class Account(Row):
    """``account.account`` with its balance as of a date."""

    code: str
    balance: Exact
    as_of: Day
    company: Company = Field(alias="company.")


@dataclass(frozen=True, slots=True)
class LedgerContext:
    """What the mapping must know beside the record: the landscape's control accounts, by code."""

    accounts: Mapping[str, ControlAccount]


async def read_accounts(client: TrytonClient, wanted: Sequence[ControlAccount]) -> list[dict[str, wire.Json]]:
    """The control accounts with the sum of all posted moves up to the end of the last fiscal year.

    Raises ``Stop`` when an account or every fiscal year is missing: a figure that is not there is never zero.
    """
    company = ("company", "=", (await client.context())["company"])
    years = await client.search_read(
        "account.fiscalyear", [company], ["end_date"], order=[("end_date", "DESC")], limit=1
    )
    if not years:
        raise Stop("Tryton has no fiscal year; create one, or take control_accounts out of the landscape")
    as_of = years[0]["end_date"]
    codes = [account.account for account in wanted]
    # Without the date Tryton would leave out the moves of fiscal years that are closed, without ``posted`` add drafts.
    rows = await client.search_read(
        "account.account",
        [company, ("code", "in", codes)],
        FIELDS,
        order=[("id", "ASC")],
        context={"date": wire.date(as_of), "posted": True},
    )
    found = [row["code"] for row in rows]
    for code in codes:
        if found.count(code) != 1:
            raise Stop(f"Tryton has {found.count(code)} accounts with the code {code!r}; correct control_accounts")
    return [{**row, AS_OF: as_of} for row in rows]


def map_account(context: LedgerContext, item: RawItem) -> LedgerBalance:
    """The balance of one control account. Raises ``Rejected`` with the field's path."""
    account = parse(Account, wire.parse_payload(item.payload))
    said = context.accounts.get(account.code)
    if said is None:
        raise Rejected(f"{account.code} is no control account", field="code", remedy="name it in the landscape")
    try:
        return LedgerBalance(
            company=account.company.party.code or "",
            account=account.code,
            currency=account.company.currency.code or "",
            as_of=account.as_of,
            measure=said.measure,
            asset_classes=said.asset_classes,
            balance=account.balance,
            balance_before=account.balance,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise Rejected(reason, field=path(first["loc"]) or "$", remedy="correct the account in Tryton") from None
