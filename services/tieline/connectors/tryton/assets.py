"""Writes assets: find or create, change what differs, run, post what is due, close. Every step may be taken twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from tieline.connectors.tryton import comment, mapping
from tieline.connectors.tryton.asset_plan import (
    COMMENT_KEYS,
    Found,
    Plan,
    check_comment,
    comment_values,
    dates,
    plan_changes,
)
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.closing import AssetCloser
from tieline.connectors.tryton.finding import MODEL, AssetFinder
from tieline.connectors.tryton.models import Asset
from tieline.connectors.tryton.reference import AssetProduct, Reference
from tieline.connectors.tryton.settings import TrytonSettings
from tieline.connectors.tryton.wire import Json, Quantity
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.protocols import Written


class AssetWriter:
    """Brings one asset to a command's state."""

    def __init__(
        self, client: TrytonClient, settings: TrytonSettings, context: mapping.Context, reference: Reference
    ) -> None:
        self._client = client
        self._settings = settings
        self._context = context
        self._reference = reference
        self._finder = AssetFinder(client, reference, context.system)
        self._closer = AssetCloser(client, settings, reference)

    async def write(self, command: WriteAsset, native_id: str | None) -> Written:
        """See ``Sink.write``."""
        self._check_company(command.fields)
        located = await self._finder.locate(command, native_id)
        created = located is None
        row, found = located or await self._create(command)
        plan = self._plan(command, row, found)
        if not plan.empty:
            await self._carry_out(command, row, plan)
            row = await self._finder.by_id(row["id"]) or row
        if created:
            check_comment(self._first_comment(command), mapping.parse(Asset, row))
        elif plan.comment is not None:
            check_comment(plan.comment, mapping.parse(Asset, row))
        return self._written(row, effect=created or not plan.empty)

    async def read_back(self, command: WriteAsset, native_id: str | None) -> Written | None:
        """See ``Sink.read_back``: None also while some of the command is still to be done."""
        located = await self._finder.locate(command, native_id)
        if located is None:
            return None
        row, found = located
        if found is Found.ADOPTED or not self._plan(command, row, found).empty:
            return None
        return self._written(row, effect=True)

    async def remove(self, native_id: str) -> Written:
        """Delete a draft. ``Rejected`` for an asset that is in the books."""
        row = await self._finder.by_native_id(native_id)
        if row is None:
            return Written(native_id=native_id, effect=False)
        if row["state"] != "draft":
            raise Rejected(
                f"asset {row.get('number') or native_id} is {row['state']}: only a draft can be removed",
                field="native_id",
                remedy="close the asset in Tryton instead",
            )
        await self._client.write(f"model.{MODEL}.delete", [row["id"]])
        return Written(native_id=native_id)

    async def present(self, native_id: str) -> bool:
        """True while the record exists."""
        return await self._finder.by_native_id(native_id) is not None

    def _plan(self, command: WriteAsset, row: dict[str, Json], found: Found) -> Plan:
        asset = mapping.parse(Asset, row)
        product = self._product_code(command, asset.product.code)
        return plan_changes(self._context.system, self._coded(command, command.writable_fields), asset, found, product)

    def _first_comment(self, command: WriteAsset) -> str:
        return comment.write_values(None, comment_values(self._context.system, self._coded(command, None), None))

    def _product_code(self, command: WriteAsset, held: str | None) -> str | None:
        """Code of the product the class asks for: the one that is held where it means the same class."""
        wanted, day, codes = command.fields.asset_class, command.effective_date, self._context.read_only().codes
        if "asset_class" not in command.writable_fields:
            return None
        same = held and codes.has("asset-class") and codes.canonical("asset-class", held, day, place="") == wanted
        return held if same else self._reference.product_code(wanted, day)

    def _coded(self, command: WriteAsset, names: Collection[str] | None) -> WriteAsset:
        """The command with Tryton's codes for what stands in the comment; the class is looked up by its product."""
        commented = {name for name in COMMENT_KEYS if names is None or name in names}
        fields = self._context.codes.native_fields(command.fields, command.effective_date, only=commented)
        return command.model_copy(update={"fields": fields})

    def _check_company(self, fields: AssetFields) -> None:
        if fields.company is not None and fields.company != self._settings.company:
            raise Rejected(
                f"company {fields.company!r} is not kept in this Tryton",
                field="fields.company",
                remedy=f"this connection writes to company {self._settings.company!r} only",
            )

    async def _create(self, command: WriteAsset) -> tuple[dict[str, Json], Found]:
        fields = command.fields
        product = await self._reference.asset_product(fields.asset_class, command.effective_date)
        if fields.acquisition_cost is None:
            raise Rejected(
                "is missing: Tryton needs a value", field="fields.acquisition_cost", remedy="enter it at the source"
            )
        cost = fields.acquisition_cost
        await self._reference.check_money(cost.amount, cost.currency, "fields.acquisition_cost")
        purchased, start = dates(fields)
        values = {
            "company": await self._reference.company(),
            "product": product.id,
            "unit": product.unit,
            "quantity": Quantity(fields.quantity) if fields.quantity is not None else None,
            "account_journal": await self._reference.journal(self._settings.asset_journal),
            "value": cost.amount,
            "purchase_date": purchased,
            "start_date": start,
            "end_date": end_date(start, product),
            "frequency": "monthly",
            "comment": self._first_comment(command),
        }
        created = await self._client.write(f"model.{MODEL}.create", [values])
        # Tryton keeps nothing unique that we could use: of two records made at the same time the elder stays, before
        # either is in the books.
        ours = await self._finder.by_hub_ref(command.asset_id)
        if not ours:
            raise Retryable("the asset just created is not found; somebody changes it at this moment")
        if ours[0]["id"] not in created:
            await self._client.write(f"model.{MODEL}.delete", created)
        return ours[0], Found.BY_HUB_REF

    async def _carry_out(self, command: WriteAsset, row: dict[str, Json], plan: Plan) -> None:
        asset = mapping.parse(Asset, row)
        if plan.comment is not None:
            stamp = {f"{MODEL},{asset.id}": str(row["_timestamp"])}
            await self._client.write(f"model.{MODEL}.write", [asset.id], {"comment": plan.comment}, timestamps=stamp)
        if plan.values:
            await self._book(command, asset, plan)
        if plan.run:
            await self._run(asset.id)
        if plan.close_on is not None:
            await self._close(asset.id, plan.close_on)

    async def _close(self, asset_id: int, day: dt.date) -> None:
        # Read again: running it has just made the schedule.
        row = await self._finder.by_id(asset_id)
        if row is None or row["state"] == "closed":
            return
        try:
            await self._closer.close(mapping.parse(Asset, row), day)
        except Rejected:
            await self._taken_by_other(asset_id, {"closed"})

    async def _book(self, command: WriteAsset, asset: Asset, plan: Plan) -> None:
        fields = command.fields
        values: dict[str, object] = {}
        day = command.effective_date
        product = await self._reference.asset_product(fields.asset_class, day) if fields.asset_class else None
        if "asset_class" in plan.values and product is not None:
            values |= {"product": product.id, "unit": product.unit}
        if "quantity" in plan.values and fields.quantity is not None:
            values["quantity"] = Quantity(fields.quantity)
        if "acquisition_cost" in plan.values and fields.acquisition_cost is not None:
            cost = fields.acquisition_cost
            await self._reference.check_money(cost.amount, cost.currency, "fields.acquisition_cost")
            values["value"] = cost.amount
        if {"acquisition_date", "in_service_date"} & set(plan.values):
            purchased, start = dates(fields)
            values |= {"purchase_date": purchased, "start_date": start}
            if product is not None:
                values["end_date"] = end_date(start, product)
        if asset.lines:
            await self._client.write(f"model.{MODEL}.clear_lines", [asset.id])
        await self._client.write(f"model.{MODEL}.write", [asset.id], values)
        if asset.lines and not plan.run:
            await self._client.write(f"model.{MODEL}.create_lines", [asset.id])

    async def _run(self, asset_id: int) -> None:
        try:
            await self._client.write(f"model.{MODEL}.run", [asset_id])
        except Rejected:
            await self._taken_by_other(asset_id, {"running", "closed"})

    async def _taken_by_other(self, asset_id: int, states: set[str]) -> None:
        """Raise the error being handled, unless another copy of this sink has taken the step meanwhile."""
        row = await self._finder.by_id(asset_id)
        if row is None or row["state"] not in states:
            raise  # noqa: PLE0704  - called while an exception is handled

    def _written(self, row: dict[str, Json], *, effect: bool) -> Written:
        report = mapping.asset_report(self._context.read_only(), mapping.parse(Asset, row))
        return Written(
            native_id=report.origin.native_id,
            number=report.fields.asset_number,
            source_version=report.origin.source_version,
            digest=mapping.digest(report),
            effect=effect,
            recorded_at=report.origin.recorded_at,
        )


def end_date(start: dt.date, product: AssetProduct) -> dt.date:
    """Last day of the product's life. Raises ``Rejected`` for a product without one."""
    if not product.life_months:
        raise Rejected(
            "its product has no depreciation duration",
            field="fields.asset_class",
            remedy="enter the duration in months at the product in Tryton",
        )
    year, month = divmod(start.year * 12 + start.month - 1 + product.life_months, 12)
    first_of_next = dt.date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last_of_month = (first_of_next - dt.timedelta(days=1)).day
    return dt.date(year, month + 1, min(start.day, last_of_month)) - dt.timedelta(days=1)
