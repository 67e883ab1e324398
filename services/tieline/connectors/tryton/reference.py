"""What Tryton calls the things commands speak of: ids of products, journals, accounts, cost centres, periods."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.settings import TrytonSettings
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.errors import Rejected, Stop


@dataclass(frozen=True, slots=True)
class AssetProduct:
    """The product of an asset class."""

    id: int
    unit: int
    life_months: int | None


@dataclass(frozen=True, slots=True)
class CompanyCurrency:
    """The company's own currency; Tryton keeps assets and moves in no other."""

    code: str
    digits: int


class Reference:
    """Looks codes up. Ids never change and are remembered; what a person may open or close is asked for each time."""

    def __init__(self, client: TrytonClient, settings: TrytonSettings, codes: Codes = SHARED) -> None:
        self._client = client
        self._codes = codes
        self._settings = settings
        self._ids: dict[tuple[str, str], int] = {}
        self._currency: CompanyCurrency | None = None

    async def company(self) -> int:
        """Id of the company."""
        found = (await self._client.context())["company"]
        if not isinstance(found, int):
            raise Stop("Tryton gave no company")
        return found

    async def currency(self) -> CompanyCurrency:
        """The company's currency."""
        if self._currency is None:
            rows = await self._client.search_read(
                "company.company", [("id", "=", await self.company())], ["currency.code", "currency.digits"]
            )
            if not rows:
                raise Stop("the company is gone from Tryton")
            found = rows[0]["currency."]
            self._currency = CompanyCurrency(str(found["code"]), int(found["digits"]))
        return self._currency

    def product_code(self, asset_class: str | None, day: dt.date | None) -> str | None:
        """Code of the product of a canonical asset class on a day; None where the settings name none.

        ``Rejected`` where the landscape has a code list and it names none.
        """
        if asset_class and self._codes.has("asset-class"):
            return self._codes.native("asset-class", asset_class, day, place="fields.asset_class")
        entry = self._settings.asset_classes.get(asset_class or "")
        return entry.product if entry else None

    async def asset_product(self, asset_class: str | None, day: dt.date | None = None) -> AssetProduct:
        """The product of a canonical asset class on a day. ``Rejected`` when there is none."""
        code = self.product_code(asset_class, day)
        if code is None:
            raise Rejected(
                f"asset class {asset_class!r} has no product in Tryton",
                field="fields.asset_class",
                remedy="name it under asset_classes in the landscape, or correct the class",
            )
        rows = await self._client.search_read(
            "product.product",
            [("code", "=", code), ("template.type", "=", "assets"), ("template.depreciable", "=", True)],
            ["template.default_uom", "template.depreciation_duration"],
            limit=2,
        )
        if len(rows) != 1:
            raise Rejected(
                f"Tryton has {len(rows)} depreciable products with code {code!r}",
                field="fields.asset_class",
                remedy="keep exactly one depreciable product of type assets under this code",
            )
        template = rows[0]["template."]
        life = template["depreciation_duration"]
        return AssetProduct(rows[0]["id"], template["default_uom"], life if isinstance(life, int) else None)

    async def journal(self, code: str) -> int:
        """Id of a journal of the settings. ``Stop`` when there is none."""
        return await self._one("account.journal", code, [])

    async def account(self, code: str) -> int:
        """Id of an account of the settings. ``Stop`` when there is none."""
        return await self._one("account.account", code, [("company", "=", await self.company())])

    async def cost_centre(self, canonical: str, day: dt.date, field: str) -> int:
        """Id of the analytic account of a canonical cost centre on a day. ``Rejected`` when unknown or closed."""
        code = self._codes.native("cost-centre", canonical, day, place=field)
        rows = await self._client.search_read(
            "analytic_account.account",
            [("code", "=", code), ("type", "=", "normal"), ("company", "=", await self.company())],
            ["state"],
            limit=2,
        )
        usable = [row["id"] for row in rows if row["state"] != "closed"]
        if len(usable) != 1:
            raise Rejected(
                f"cost centre {code!r} is {'closed' if rows else 'unknown'} in Tryton",
                field=field,
                remedy="open one analytic account with this code, or correct the cost centre",
            )
        return int(usable[0])

    async def open_period(self, day: dt.date, field: str) -> int:
        """Id of the open period that holds the day. ``Rejected`` when it is missing or closed (Invariant 10)."""
        rows = await self._client.search_read(
            "account.period",
            [
                *(("company", "=", await self.company()), ("type", "=", "standard")),
                *(("start_date", "<=", day), ("end_date", ">=", day)),
            ],
            ["state", "name"],
        )
        for row in rows:
            if row["state"] == "open":
                return int(row["id"])
        reason = f"period {rows[0]['name']} is closed in Tryton" if rows else f"Tryton has no period for {day}"
        remedy = "reopen the period and replay" if rows else "create the fiscal year and its periods, and replay"
        raise Rejected(reason, field=field, remedy=remedy)

    async def check_money(self, amount: Decimal, currency: str, field: str) -> None:
        """``Rejected`` unless the amount is in the company's currency and rounded to its minor unit."""
        own = await self.currency()
        if currency != own.code:
            raise Rejected(
                f"is in {currency}, but Tryton's company keeps its books in {own.code}",
                field=field,
                remedy=f"send it in {own.code}",
            )
        if round(amount, own.digits) != amount:
            raise Rejected(
                f"has more than {own.digits} digits after the point", field=field, remedy="round it at its source"
            )

    async def _one(self, model: str, code: str, domain: list[object]) -> int:
        if (model, code) not in self._ids:
            found = await self._client.search(model, [("code", "=", code), *domain], limit=2)
            if len(found) != 1:
                raise Stop(
                    f"Tryton has {len(found)} records of {model} with code {code!r}; correct Tryton or the settings"
                )
            self._ids[model, code] = found[0]
        return self._ids[model, code]
